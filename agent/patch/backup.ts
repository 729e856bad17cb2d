import { lockDigest } from "../../contract/lock.ts";
import { HOST_PATHS } from "../../contract/names.ts";
import { createBackup, planBackup } from "../backup/create.ts";
import { statusDigest } from "../backup/package-state.ts";
import { lstatOrNull, onMachine } from "../host/files.ts";
import { activeServices } from "../host/services.ts";
import { verifyArchives } from "./archives.ts";
import { beginTransaction, enter } from "./journal.ts";
import { readLock } from "./lock-file.ts";
import type { Step } from "./step.ts";
import { recover, requireClosed } from "./transaction.ts";

/** The id a dry run answers: no backup is made. */
const DRY_RUN_ID = "dry-run";

/** Keeps what the lock of this run is about to change. The gate of the install step. */
export const backup: Step<"backup"> = async (context) => {
  const { machine, runId, timed } = context;
  const lock = readLock(machine, runId, context.dryRun);
  if (lock.entries.length + lock.removals.length === 0)
    return { outcome: { outcome: "nothingToDo", message: "the lock changes nothing" }, details: {} };
  if (context.dryRun) {
    // A dry run has fetched nothing: then the set is that of the installed packages' lists alone.
    const there = lock.entries.filter(
      (e) => lstatOrNull(onMachine(machine, `${HOST_PATHS.archives}/${e.file}`)) !== null,
    );
    const plan = await planBackup(machine, { runId, lock, fetched: there, timed });
    const data = { backupId: DRY_RUN_ID, paths: plan.set.present.length, bytes: plan.bytes };
    return { outcome: { outcome: "succeeded", data }, details: {} };
  }
  await recover(context);
  requireClosed(context);
  verifyArchives(machine, lock);
  const services = await activeServices(machine);
  const begun = beginTransaction(machine, {
    runId,
    lockDigest: lockDigest(lock),
    services,
    statusBefore: statusDigest(machine),
  });
  const { manifest, bytes } = await createBackup(machine, { runId, lock, timed });
  enter(machine, begun, "backedUp", { backupId: manifest.id, statusBefore: manifest.statusDigest });
  const data = { backupId: manifest.id, paths: manifest.entries.length, bytes };
  return { outcome: { outcome: "succeeded", data }, details: {} };
};
