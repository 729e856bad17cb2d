import type { StepResult } from "../../contract/envelope.ts";
import type { FailureCode } from "../../contract/failures.ts";
import type { StepName } from "../../contract/steps.ts";
import type { CommandEnd } from "../../contract/workflow.ts";
import { UNSEEN } from "./host-outcome.ts";

/** Where a host goes after a command: on with its batch, out of it, or out of it and back to what it was. */
export type Onward = "proceed" | "leave" | "rollBack";

/** Steps after which a host may differ from what it was. */
const CHANGED: ReadonlySet<StepName> = new Set<StepName>(["install", "reboot", "validate", "commit"]);
/** Steps that only a host on trial is asked: one that does not pass them may not stay as it is, whatever its reason. */
const ON_TRIAL: ReadonlySet<StepName> = new Set<StepName>(["reboot", "validate", "commit"]);

/** A branch for each outcome: one that is missing does not compile. A rollback asked for in vain is harmless, the host says there is nothing to do. */
export function onward(result: StepResult): Onward {
  switch (result.outcome) {
    case "succeeded":
    case "rebootRequired":
      return "proceed";
    case "nothingToDo":
    case "blocked":
      return ON_TRIAL.has(result.step) && !result.dryRun ? "rollBack" : "leave";
    case "failed": {
      // A host that committed goes back for what it says of itself, not for an answer that was lost.
      if (result.step === "check") return result.code === "unhealthy" ? "rollBack" : "leave";
      const mayHaveChanged = CHANGED.has(result.step) || (result.step === "backup" && UNSEEN.has(result.code));
      return mayHaveChanged && !result.dryRun ? "rollBack" : "leave";
    }
    default:
      return missing(result);
  }
}

/** What a command comes to of which nothing at all was heard. Whatever can be heard, however garbled, comes from a host that is alive. */
const UNHEARD: ReadonlySet<FailureCode> = new Set<FailureCode>(["noAnswer", "undeliverable", "notPickedUp"]);

/** A host that was to go back and may never answer again. */
function isLost(result: StepResult): boolean {
  return result.step === "rollback" && result.outcome === "failed" && !result.dryRun && UNHEARD.has(result.code);
}

function missing(result: never): never {
  throw new Error(`no branch for ${JSON.stringify(result)}`);
}

/**
 * Divides the hosts of a batch after a command. Pure.
 * @param last the last step that each host answered
 * @param before hosts that earlier commands already sent back
 * @param waiting hosts that have not answered yet
 */
export function partition(
  last: readonly StepResult[],
  before: readonly string[],
  waiting: readonly string[] = [],
): CommandEnd {
  const those = (where: Onward) => last.filter((r) => onward(r) === where).map(({ instanceId }) => instanceId);
  const instanceIds = those("proceed");
  return {
    verdict: instanceIds.length > 0 ? "proceed" : "nobodyLeft",
    instanceIds,
    toRollBack: [...new Set([...before, ...those("rollBack")])],
    waiting: [...waiting],
    lost: last.filter(isLost).map(({ instanceId }) => instanceId),
  };
}
