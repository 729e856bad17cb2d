import { KEYS } from "../../contract/names.ts";
import type { Promotion } from "../../contract/promotion.ts";
import type { HostRequest } from "../../contract/request.ts";
import type { Snapshot } from "../../contract/run.ts";

type Run = Pick<Snapshot, "runId" | "dryRun" | "policy"> & {
  /** The run that this one goes on with, and whether that one's canaries were healthy: then this one has none. */
  readonly resumes?: string | undefined;
  readonly proven?: boolean | undefined;
};

/** The run whose canaries prove what a wave of this run installs; null when its hosts plan by themselves. Pure. A dry run proves nothing. */
export function provingRun(run: Run, wave: number): string | null {
  if (run.dryRun || run.policy.fleetLock === "off") return null;
  if (run.proven === true && run.resumes !== undefined) return run.resumes;
  return wave > 0 ? run.runId : null;
}

/** Whether a run promotes what its own canaries, the first wave, prove. Pure. */
export function promotes(run: Run): boolean {
  return provingRun(run, 0) === null && provingRun(run, 1) === run.runId;
}

/**
 * What hosts that prepare are told of fleet locks: canaries to offer their .debs, all others what to install. Pure.
 * @throws Error when a wave is to install what was proven and nothing says what that is: it must not plan by itself instead
 */
export function fleetLockPart(
  run: Run,
  wave: number,
  promotion: Promotion | undefined,
): Pick<HostRequest, "fleetLocks" | "offerDebs"> {
  const proving = provingRun(run, wave);
  if (proving === null) return promotes(run) ? { offerDebs: true } : {};
  if (promotion !== undefined) return { fleetLocks: promotion.locks };
  throw new Error(
    `run ${run.runId}: wave ${wave} is to install what the canaries of ${proving} proved, and there is no ${KEYS.promotion(proving)}`,
  );
}
