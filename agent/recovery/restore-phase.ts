import { Failure } from "../../contract/failures.ts";
import { restoreBackup } from "../backup/restore.ts";
import { restoreTest } from "../backup/restore-test.ts";
import { readManifest } from "../backup/store.ts";
import { withPackageLocks } from "../host/hold-package-locks.ts";
import { activeServices } from "../host/services.ts";
import { isCritical } from "../patch/plan.ts";
import { restoreSystem } from "../patch/restore-system.ts";
import type { StepContext } from "../patch/step.ts";
import { differenceSentence } from "../patch/transaction.ts";
import { holdLockdown } from "../security/lockdown/lockdown.ts";
import type { LockdownRecord } from "../security/lockdown/record.ts";
import { type Course, done, planned, required, type Said } from "./course.ts";
import { criticalPart } from "./critical.ts";

/** The phase in which the backup is put back, as the mode says: all of it, the critical packages' part, or in a clone to look. */
export async function restorePhase(course: Course): Promise<Said> {
  const { context, request, backupId } = course;
  if (backupId === null) throw new Failure("backupMissing", "there is no valid backup");
  if (context.dryRun) return await restoredInClone(context, backupId);
  course.restoring = true;
  return request.mode === "minimal" ? await restoreCritical(course, backupId) : await restoreAll(course, backupId);
}

async function restoredInClone(context: StepContext, backupId: string): Promise<Said> {
  const { identical, report } = await restoreTest(context.machine, backupId);
  if (!identical) throw new Failure("rollbackIncomplete", `in a clone of this host: ${report}`);
  return planned(`put back in a clone of this host, and compared:\n${report}`);
}

async function restoreAll({ context }: Course, backupId: string): Promise<Said> {
  let lockdown: LockdownRecord | null = null;
  const restored = await restoreSystem(context, backupId, true).finally(async () => {
    // What a lockdown wrote is not in the backup: it is put there again, also where not all of the backup could be put back.
    lockdown = await holdLockdown(context.machine);
  });
  const wrong = restored.filter(({ differences }) => differences.length > 0);
  const expected = (one: (typeof restored)[number]) => `${one.backupId}: ${differenceSentence(one)}`;
  if (wrong.length > 0) throw new Failure("rollbackIncomplete", wrong.map(expected).join("; "));
  const lines = restored.map(
    (one) =>
      `${one.backupId}: ${one.restored} paths put back, ${one.identical ? "identical" : `${one.keptEdits.length} later edits kept`}`,
  );
  if (lockdown !== null) lines.push("the lockdown holds again");
  return done(lines.join("\n"));
}

/** The critical packages' own files alone; everything else of the host stays as it is. */
async function restoreCritical({ context, request, ...course }: Course, backupId: string): Promise<Said> {
  const { machine, timed, policy } = context;
  const part = await criticalPart(machine, readManifest(machine, backupId), request.config.AUTOPATCH_CRITICAL_PACKAGES);
  if (part.packages.length === 0) return { outcome: "skipped", detail: "no critical package is installed" };
  const window = { from: 1n, to: 0n };
  const restored = await withPackageLocks(machine, policy.lockWaitSeconds, () =>
    restoreBackup(machine, { backupId, window, timed, only: part.covers }),
  );
  if (restored.differences.length > 0) throw new Failure("rollbackIncomplete", differenceSentence(restored));
  const running = (await activeServices(machine)).filter((name) =>
    isCritical(name.replace(/(@.*)?\.service$/, ""), part.packages),
  );
  const again = running.filter((name) => !course.stopped.includes(name));
  if (again.length > 0) await required(context, "systemctl", ["restart", ...again]);
  return done(
    `${part.packages.join(", ")}: ${restored.restored} paths put back${again.length > 0 ? `, restarted ${again.join(", ")}` : ""}`,
  );
}
