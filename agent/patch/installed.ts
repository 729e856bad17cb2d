import type { InstalledRecord } from "../backup/manifest.ts";
import { statusDigest } from "../backup/package-state.ts";
import { PACKAGE_SCOPE } from "../backup/scope.ts";
import { BACKUP_FILES, backupFolder } from "../backup/store.ts";
import { onMachine, syncFile, writeOwn } from "../host/files.ts";
import type { Machine } from "../host/machine.ts";
import { scanTree, type Tree } from "../host/tree.ts";
import { readTree, writeTree } from "../host/tree-file.ts";
import type { Transaction } from "./journal.ts";

/** What dpkg and ucf call the package's version of a file when the administrator's was kept. */
const KEPT = /\.(dpkg|ucf)-dist$/;

/**
 * Looks at the host once more when an install has ended and keeps that beside the backup: what is new since then is not the
 * install's and survives a rollback.
 * @returns how many configuration files of the administrator's were kept
 */
export async function recordInstalled(machine: Machine, transaction: Transaction): Promise<number> {
  const after = await scanTree(machine, PACKAGE_SCOPE);
  if (transaction.backupId === null) return 0;
  const folder = backupFolder(transaction.backupId);
  const scan = onMachine(machine, `${folder}/${BACKUP_FILES.after}`);
  await writeTree(scan, after);
  syncFile(scan);
  const record: InstalledRecord = {
    format: 1,
    backupId: transaction.backupId,
    statusDigest: statusDigest(machine),
    finishedAt: machine.clock.now().toISOString(),
  };
  writeOwn(machine, `${folder}/${BACKUP_FILES.installed}`, `${JSON.stringify(record)}\n`, 0o600);
  const before = await readTree(onMachine(machine, `${folder}/${BACKUP_FILES.before}`));
  return keptConffiles(before, after);
}

/** Pure: configuration files whose packaged version lies beside them since the change. */
export function keptConffiles(before: Tree, after: Tree): number {
  let kept = 0;
  for (const [path, stat] of after.paths) {
    if (KEPT.test(path) && before.paths.get(path)?.ctime !== stat.ctime) kept++;
  }
  return kept;
}
