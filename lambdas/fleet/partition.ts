import type { StepResult } from "../../contract/envelope.ts";
import type { StepName } from "../../contract/steps.ts";

/** Where a host goes after a step: on with its batch, out of it, or out of it and back to what it was. */
export type Onward = "proceed" | "leave" | "rollBack";

/** Steps after which a host may differ from what it was. */
const CHANGED: ReadonlySet<StepName> = new Set<StepName>(["install", "validate", "commit"]);
/** Steps that only a host on trial is asked: one that does not pass them may not stay as it is, whatever its reason. */
const ON_TRIAL: ReadonlySet<StepName> = new Set<StepName>(["validate", "commit"]);

/** A branch for each outcome: one that is missing does not compile. A rollback asked for in vain is harmless, the host says there is nothing to do. */
export function onward(result: StepResult): Onward {
  switch (result.outcome) {
    case "succeeded":
    case "rebootRequired":
      return "proceed";
    case "nothingToDo":
    case "blocked":
      return ON_TRIAL.has(result.step) && !result.dryRun ? "rollBack" : "leave";
    case "failed":
      return CHANGED.has(result.step) && !result.dryRun ? "rollBack" : "leave";
    default:
      return missing(result);
  }
}

function missing(result: never): never {
  throw new Error(`no branch for ${JSON.stringify(result)}`);
}

export interface Partition {
  readonly verdict: "proceed" | "nobodyLeft";
  readonly instanceIds: string[];
  readonly toRollBack: string[];
}

/** Divides the hosts of a batch after a step. Pure. @param before hosts that earlier steps already sent back */
export function partition(results: readonly StepResult[], before: readonly string[]): Partition {
  const those = (where: Onward) => results.filter((r) => onward(r) === where).map(({ instanceId }) => instanceId);
  const instanceIds = those("proceed");
  return {
    verdict: instanceIds.length > 0 ? "proceed" : "nobodyLeft",
    instanceIds,
    toRollBack: [...new Set([...before, ...those("rollBack")])],
  };
}
