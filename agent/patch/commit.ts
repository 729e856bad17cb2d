import { Failure } from "../../contract/failures.ts";
import { watchedFigures } from "../telemetry/watched-figures.ts";
import { enter, readJournal, type Transaction } from "./journal.ts";
import type { Step, StepContext } from "./step.ts";
import { endTrial, isOver, lookAtTrial } from "./trial-clock.ts";
import { requireTrial } from "./validate.ts";

/** Ends the trial: the host stays as it is. The backup stays too. */
export const commit: Step<"commit"> = async (context) => {
  const { machine, runId } = context;
  if (context.dryRun) {
    const data = { backupId: null, figures: await watchedFigures(machine) };
    return { outcome: { outcome: "succeeded", data }, details: {} };
  }
  const last = readJournal(machine);
  const already = last?.runId === runId && last.state === "committed";
  const committed = already ? last : enter(machine, requireTime(context), "committed");
  endTrial(machine);
  const data = { backupId: committed.backupId, figures: await watchedFigures(machine) };
  return { outcome: { outcome: "succeeded", data }, details: {} };
};

/**
 * A commit that comes too late finds a host that is going back, or about to.
 * @throws Failure `noTransaction`
 */
function requireTime(context: StepContext): Transaction {
  const transaction = requireTrial(context);
  const clock = lookAtTrial(context.machine, transaction.runId);
  if (clock === null || !isOver(clock)) return transaction;
  throw new Failure(
    "noTransaction",
    `the trial of run ${clock.runId} ended after ${clock.seconds} s: the host goes back`,
  );
}
