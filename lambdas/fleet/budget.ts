import type { ErrorBudget } from "../../contract/run.ts";

/** How many of so many hosts may fail. Pure. A share is rounded down: half of one host is none. */
export function allowedFailures(budget: ErrorBudget, hosts: number): number {
  if (typeof budget === "string" && !budget.endsWith("%")) return Math.min(Number(budget), hosts);
  return Math.floor(shareOf(budget) * hosts + 1e-9);
}

/** `"25%"` or 0.25 as 0.25. */
export function shareOf(value: number | string): number {
  return typeof value === "number" ? value : Number.parseInt(value, 10) / 100;
}
