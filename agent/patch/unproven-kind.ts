import type { StepOutcome } from "../../contract/envelope.ts";
import type { StepContext } from "./step.ts";

/** Stops a host of a kind that no canary of its run proved anything for, where the policy wants that. Pure. @returns null when it may go on */
export function unprovenKind({ unproven, runId }: Pick<StepContext, "unproven" | "runId">): StepOutcome<never> | null {
  if (unproven === undefined) return null;
  const message = `no canary of run ${runId} proved a fleet lock for hosts of ${unproven}: have one among the canaries, or set the policy's fleetLock to whereProven`;
  return { outcome: "blocked", reasons: [{ code: "kindUnproven", message }] };
}
