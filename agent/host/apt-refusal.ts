import { aptProblem, PLANNING, RESOLVER_DEADLINE_MS } from "./apt.ts";
import type { Machine } from "./machine.ts";

/**
 * Why apt would not install one version by itself, in its own words; null when it would.
 * @param options the options the plan was made with
 */
export async function aptRefusal(
  machine: Machine,
  name: string,
  version: string,
  options: readonly string[],
): Promise<string | null> {
  const args = [...PLANNING, ...options, "-s", "install", `${name}=${version}`];
  const result = await machine.exec("apt-get", args, { deadlineMs: RESOLVER_DEADLINE_MS });
  return result.exitCode === 0 || result.timedOut ? null : aptProblem(result);
}
