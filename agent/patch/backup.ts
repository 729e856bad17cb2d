import { Failure } from "../../contract/failures.ts";
import type { Lock } from "../../contract/lock.ts";
import { HOST_PATHS } from "../../contract/names.ts";
import { createBackup, planBackup } from "../backup/create.ts";
import { readPreviousIndex } from "../backup/keep-debs.ts";
import { PREVIOUS_FILES, previousDetails } from "../backup/previous-debs.ts";
import { backupFolder } from "../backup/store.ts";
import { lstatOrNull, onMachine } from "../host/files.ts";
import { verifyArchives } from "./archives.ts";
import { beginChange } from "./begin-change.ts";
import { keepCvesWith } from "./fixed-cves.ts";
import { enter } from "./journal.ts";
import { readLock } from "./lock-file.ts";
import { boundTo, rehearsedPaths } from "./rehearsal-record.ts";
import type { Step, StepAnswer, StepContext } from "./step.ts";
import { recover, requireClosed } from "./transaction.ts";

/** The id a dry run answers: no backup is made. */
const DRY_RUN_ID = "dry-run";

/** Keeps what the lock of this run is about to change: exactly what its rehearsal touched, when there was one. The gate of the install step. */
export const backup: Step<"backup"> = async (context): Promise<StepAnswer<"backup">> => {
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
  const { rehearsed, reason } = setToKeep(context, lock);
  const known = rehearsed === null ? {} : { rehearsed };
  // Both only look at the host, and a health check may take its time. Neither goes on alone when the other fails.
  const checks = timed("checks before", () => beginChange(context, lock));
  const making = createBackup(machine, { runId, lock, ...known, timed });
  await Promise.allSettled([checks, making]);
  const begun = await checks;
  const { manifest, bytes } = await making;
  keepCvesWith(machine, manifest.id, begun.lockDigest);
  enter(machine, begun, "backedUp", { backupId: manifest.id, statusBefore: manifest.statusDigest });
  const data = { backupId: manifest.id, paths: manifest.entries.length, bytes };
  const set = rehearsed === null ? "computed" : "rehearsed";
  const previous = readPreviousIndex(machine, `${backupFolder(manifest.id)}/${PREVIOUS_FILES.folder}`);
  const kept = previous === null ? {} : { previousDebs: previousDetails(previous) };
  return { outcome: { outcome: "succeeded", data }, details: { backup: { set, reason }, ...kept } };
};

/**
 * The paths of the rehearsal while it is still one of this change on this host; else they are computed, and why.
 * @throws Failure `rehearsalFailed` when the policy allows no change that was not rehearsed
 */
function setToKeep(
  { machine, policy }: StepContext,
  lock: Lock,
): { readonly rehearsed: readonly string[] | null; readonly reason: string | null } {
  const found = rehearsedPaths(machine, boundTo(machine, lock, policy));
  if ("paths" in found) {
    machine.log.info(`what to keep is known from the rehearsal: ${found.paths.length} paths change`);
    return { rehearsed: found.paths, reason: null };
  }
  if (policy.rehearse === "required")
    throw new Failure("rehearsalFailed", `the policy requires a rehearsal: ${found.why}; send the rehearse step again`);
  machine.log.info(`what to keep is computed from lists and scripts: ${found.why}`);
  return { rehearsed: null, reason: found.why };
}
