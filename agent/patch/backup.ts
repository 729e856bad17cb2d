import { type Lock, lockDigest } from "../../contract/lock.ts";
import { HOST_PATHS } from "../../contract/names.ts";
import { type CreatedBackup, createBackup, planBackup } from "../backup/create.ts";
import { statusDigest } from "../backup/package-state.ts";
import { lstatOrNull, onMachine } from "../host/files.ts";
import { activeServices } from "../host/services.ts";
import { verifyArchives } from "./archives.ts";
import { beginTransaction, enter } from "./journal.ts";
import { readLock } from "./lock-file.ts";
import { rehearse } from "./rehearse.ts";
import type { Step, StepAnswer, StepContext } from "./step.ts";
import { recover, requireClosed } from "./transaction.ts";

export interface BackupOptions {
  /** Makes the change in a clone of the host first, so that exactly what it touches is kept. @default what the policy says */
  readonly rehearse?: boolean;
}

/** The id a dry run answers: no backup is made. */
const DRY_RUN_ID = "dry-run";

/** Keeps what the lock of this run is about to change. The gate of the install step. */
export const backup: Step<"backup"> = (context) => backupWith(context, {});

/** The backup step; when the options or the policy ask for it, with a rehearsal of the change before it and of the way back after it. */
export async function backupWith(context: StepContext, options: BackupOptions): Promise<StepAnswer<"backup">> {
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
  const { manifest, bytes } = await rehearsedBackup(
    context,
    lock,
    options.rehearse ?? context.policy.rehearse ?? false,
  );
  enter(machine, begun, "backedUp", { backupId: manifest.id, statusBefore: manifest.statusDigest });
  const data = { backupId: manifest.id, paths: manifest.entries.length, bytes };
  return { outcome: { outcome: "succeeded", data }, details: {} };
}

/** @throws Failure of the install step when the change fails in the rehearsal, `rollbackIncomplete` when its undoing does */
async function rehearsedBackup(context: StepContext, lock: Lock, wanted: boolean): Promise<CreatedBackup> {
  const { machine, runId, timed } = context;
  const rehearsal = wanted ? await rehearse(context, lock) : null;
  if (rehearsal === null || "impossible" in rehearsal) {
    if (rehearsal !== null)
      machine.log.warn(`no rehearsal, what to keep is computed from lists and scripts alone: ${rehearsal.impossible}`);
    return await createBackup(machine, { runId, lock, timed });
  }
  const { paths } = rehearsal;
  try {
    const created = await createBackup(machine, { runId, lock, rehearsed: paths, timed });
    await rehearsal.wayBack(created.manifest.id);
    machine.log.info(`rehearsed: the change touches ${paths.length} paths, and the way back is identical`);
    return created;
  } finally {
    await rehearsal.close();
  }
}
