import { dataOf } from "../../contract/envelope.ts";
import { type Lock, LockEntry, LockRemoval, lockDigest } from "../../contract/lock.ts";
import type { Wave } from "../../contract/run.ts";
import type { Plan, StepReport } from "../../contract/step-report.ts";
import { type HostResults, hostOutcome } from "./host-outcome.ts";
import type { CanaryLock } from "./proven-locks.ts";

/** What was seen of the canaries. */
export interface CanariesSeen {
  readonly wave: Pick<Wave, "batches">;
  readonly results: ReadonlyMap<string, HostResults>;
  /** Reports that lie where only their own host may write, by key. */
  readonly reports: ReadonlyMap<string, StepReport>;
  readonly names: ReadonlyMap<string, string>;
}

/** A committed canary: what it installed, and under which `aws:userid` it writes; null where nobody knows. */
export interface CommittedCanary extends CanaryLock {
  readonly userId: string | null;
}

/**
 * The locks of the canaries that are committed. Pure. Hosts write their reports: one counts only where its lock has the very digest that
 * the host answered its install with.
 */
export function committedCanaries({ wave, results, reports, names }: CanariesSeen): CommittedCanary[] {
  return wave.batches.flat().flatMap((id) => {
    const seen = results.get(id) ?? {};
    const kind = seen.preflight && dataOf(seen.preflight, "preflight");
    if (hostOutcome(seen, false) !== "committed" || kind === undefined) return [];
    const { release, architecture } = kind;
    const key = seen.download?.reportKey ?? "";
    const plan = reports.get(key)?.plan;
    const userId = plan === undefined ? null : (/^hosts\/([^/]+)\//.exec(key)?.[1] ?? null);
    const lock = lockOf(plan, { release, architecture }, seen.install && dataOf(seen.install, "install")?.lockDigest);
    return [{ name: names.get(id) ?? id, release, architecture, lock, userId }];
  });
}

function lockOf(
  plan: Plan | undefined,
  kind: { readonly release: string; readonly architecture: string },
  installed: string | undefined,
): Lock | string {
  if (plan === undefined) return "its report of what it downloaded is not there";
  const lock: Lock = {
    ...kind,
    entries: entriesOf(plan),
    removals: plan.removals.map((one) => LockRemoval.parse(one)),
  };
  if (installed !== lockDigest(lock)) return `its report tells another lock than ${installed}, which it installed`;
  return lock;
}

/** The packages of a plan, without what else the plan says of them. */
export function entriesOf(plan: Pick<Plan, "packages">): LockEntry[] {
  return plan.packages.map((one) => LockEntry.parse(one));
}
