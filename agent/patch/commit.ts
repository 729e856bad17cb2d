import { hostFigures } from "../telemetry/figures.ts";
import { enter, readJournal } from "./journal.ts";
import type { Step } from "./step.ts";
import { requireTrial } from "./validate.ts";

/** Ends the trial: the host stays as it is. The backup stays too. */
export const commit: Step<"commit"> = async (context) => {
  const { machine, runId } = context;
  if (context.dryRun) {
    const data = { backupId: null, figures: await hostFigures(machine) };
    return { outcome: { outcome: "succeeded", data }, details: {} };
  }
  const last = readJournal(machine);
  const already = last?.runId === runId && last.state === "committed";
  const committed = already ? last : enter(machine, requireTrial(context), "committed");
  const data = { backupId: committed.backupId, figures: await hostFigures(machine) };
  return { outcome: { outcome: "succeeded", data }, details: {} };
};
