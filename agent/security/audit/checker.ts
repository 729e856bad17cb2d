import type { Severity } from "../../../contract/audit.ts";
import type { PatchPolicy } from "../../../contract/request.ts";
import type { Machine } from "../../host/machine.ts";
import type { SharedFacts } from "./shared-facts.ts";

/** A finding before it is counted and cut to size. */
export interface Draft {
  readonly id: string;
  readonly severity: Severity;
  readonly title: string;
  readonly evidence: readonly string[];
  readonly remedy: string;
}

/** How a check ended. One that could not look says so: it is neither a pass nor a failure. */
export type Looked =
  | { readonly kind: "looked"; readonly findings: readonly Draft[] }
  | { readonly kind: "notApplicable" | "unknown"; readonly reason: string };

export const looked = (...findings: readonly (Draft | null)[]): Looked => ({
  kind: "looked",
  findings: findings.filter((one) => one !== null),
});
export const notApplicable = (reason: string): Looked => ({ kind: "notApplicable", reason });
export const unknown = (reason: string): Looked => ({ kind: "unknown", reason });

/** A draft, or null when there is nothing to show for it. */
export function draft(
  id: string,
  severity: Severity,
  title: (count: number) => string,
  evidence: readonly string[],
  remedy: string,
): Draft | null {
  return evidence.length === 0 ? null : { id, severity, title: title(evidence.length), evidence, remedy };
}

/** `1 file`, `2 files`. */
export function count(n: number, one: string, many = `${one}s`): string {
  return `${n} ${n === 1 ? one : many}`;
}

export interface AuditContext {
  readonly machine: Machine;
  readonly policy: PatchPolicy;
  /** Days after which a backup is cleaned up. */
  readonly retentionDays: number;
  readonly comprehensive: boolean;
  /** What several checks look at, read once. */
  readonly facts: SharedFacts;
}

/** One kind of thing to look for. */
export interface Checker {
  readonly id: string;
  readonly title: string;
  /** Only with --comprehensive. */
  readonly comprehensive?: true;
  /** @throws anything: what cannot be read makes the check unknown */
  run(context: AuditContext): Promise<Looked>;
}
