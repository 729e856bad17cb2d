import { failed } from "../../contract/envelope.ts";
import { statusDigest } from "../backup/package-state.ts";
import { requireNotLockedDown } from "../security/lockdown/record.ts";
import { reopenedCves } from "./fixed-cves.ts";
import { readJournal, type Transaction } from "./journal.ts";
import type { Step, StepAnswer, StepContext } from "./step.ts";
import { differenceSentence, recover, rollbackDetails, type Undone, undo } from "./transaction.ts";

type Answer = StepAnswer<"rollback">;

/** Puts the host back to what it was before this run, and compares. */
export const rollback: Step<"rollback"> = async (context) => {
  const { machine, runId } = context;
  if (context.dryRun) return nothing("a dry run has changed nothing");
  requireNotLockedDown(machine);
  const interrupted = await recover(context);
  if (interrupted?.transaction.runId === runId) return answer(context, interrupted);
  const transaction = readJournal(machine);
  if (transaction === null || transaction.runId !== runId)
    return nothing(`run ${runId} has changed nothing on this host`);
  switch (transaction.state) {
    case "locked":
    case "backedUp":
      return nothing(`run ${runId} had not begun to install`);
    case "rolledBack":
      return (
        recorded(context, transaction) ??
        answer(context, await undo(context, transaction, transaction.reason ?? "asked for"))
      );
    case "abandoned":
      return {
        outcome: failedWith(`run ${runId} was installed without a backup: there is no exact way back`),
        details: {},
      };
    case "applying":
    case "rollingBack":
    case "trial":
    case "committed":
      return changedSince(context, transaction) ?? answer(context, await undo(context, transaction, "asked for"));
  }
};

/** Packages that somebody installed after the run would be lost with dpkg's database: that is for a person to decide. */
export function changedSince({ machine }: StepContext, transaction: Transaction): Answer | null {
  if (transaction.statusAfter === null || statusDigest(machine) === transaction.statusAfter) return null;
  const message =
    "packages were changed after this run's install, by somebody else: their records would be lost. " +
    `rollback.sh --restore-system ${transaction.backupId} --force goes back all the same`;
  return { outcome: { outcome: "blocked", reasons: [{ code: "packagesChangedSince", message }] }, details: {} };
}

function answer({ machine }: StepContext, { restored }: Undone): Answer {
  const details = rollbackDetails(machine, restored);
  if (restored.differences.length > 0) return { outcome: failedWith(differenceSentence(restored)), details };
  const { backupId, identical, differences } = restored;
  const counts = { differences: differences.length, restored: restored.restored };
  const data = { backupId, identical, ...counts, reopenedCves: details.rollback.reopenedCves?.length ?? null };
  return { outcome: { outcome: "succeeded", data }, details };
}

/** What the install step compared when it went back by itself; null when that was not whole and is worth another try. */
function recorded({ machine }: StepContext, { backupId, comparison }: Transaction): Answer | null {
  if (backupId === null || comparison === null || comparison.differences > 0) return null;
  const data = { backupId, ...comparison, reopenedCves: reopenedCves(machine, backupId)?.length ?? null };
  return { outcome: { outcome: "succeeded", data }, details: {} };
}

function nothing(message: string): Answer {
  return { outcome: { outcome: "nothingToDo", message }, details: {} };
}

function failedWith(message: string): Answer["outcome"] {
  return failed({ code: "rollbackIncomplete", message }) as Answer["outcome"];
}
