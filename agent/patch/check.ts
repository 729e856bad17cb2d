import { Failure } from "../../contract/failures.ts";
import { type CheckPatience, healthChecksOf, PATIENCE } from "./health-checks.ts";
import { readJournal, type Transaction } from "./journal.ts";
import type { Step, StepAnswer, StepContext } from "./step.ts";
import { judgeHealth } from "./validate.ts";

/**
 * Asks a host that has committed once more whether it is well: what fails only minutes after a change shows here. It changes nothing;
 * going back is the rollback step's.
 */
export const check: Step<"check"> = (context) => checkWith(context, PATIENCE);

/** The check step with another patience. */
export async function checkWith(context: StepContext, patience: CheckPatience): Promise<StepAnswer<"check">> {
  const { machine, dryRun, runId } = context;
  if (dryRun) {
    const message = `run ${runId} is a dry run: nothing was committed that could be checked`;
    return { outcome: { outcome: "nothingToDo", message }, details: {} };
  }
  const committed = requireCommitted(context);
  return judgeHealth(context, committed, await healthChecksOf(machine, patience), patience);
}

/**
 * What this run changed and committed, if nobody has changed anything since.
 * @throws Failure `noTransaction` saying what there is instead
 */
function requireCommitted({ machine, runId }: StepContext): Transaction {
  const transaction = readJournal(machine);
  if (transaction?.runId === runId && transaction.state === "committed") return transaction;
  const is = transaction === null ? "no change was ever begun" : `run ${transaction.runId} is ${transaction.state}`;
  throw new Failure("noTransaction", `run ${runId} has nothing committed on this host: ${is}`);
}
