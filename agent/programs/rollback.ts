import { EXIT, Failure } from "../../contract/failures.ts";
import { formatBackupList, listBackups } from "../backup/list.ts";
import { restoreTest } from "../backup/restore-test.ts";
import { findBackup } from "../backup/store.ts";
import { validateBackup } from "../backup/validate.ts";
import { requireRoot } from "../host/local-machine.ts";
import type { Machine } from "../host/machine.ts";
import { restoreSystem } from "../patch/restore-system.ts";
import { openCommand } from "./command.ts";
import { keepOperation } from "./keep-operation.ts";
import { readFlags, Usage } from "./program.ts";
import { rollbackText } from "./undo-report.ts";

export const help = `rollback.sh --list-backups
rollback.sh --validate-backup BACKUP
rollback.sh --restore-system BACKUP [--force]
rollback.sh --restore-test [--latest-backup | BACKUP]

BACKUP is an id as listed, the path of its folder, or latest.
  --list-backups     the backups of this host, newest last; * marks the latest
  --validate-backup  reads a whole backup against its manifest
  --restore-system   puts packages and their files back to what the backup says, and compares
  --restore-test     does the same in a clone of the host that cannot touch it, and compares; the latest backup unless named
  --force            goes back also when somebody changed packages since
`;

const TABLE = {
  "list-backups": { type: "boolean" },
  "validate-backup": { type: "string" },
  "restore-system": { type: "string" },
  "restore-test": { type: "boolean" },
  "latest-backup": { type: "boolean" },
  force: { type: "boolean" },
} as const;
const VERBS = ["list-backups", "validate-backup", "restore-system", "restore-test"] as const;

export async function run(args: readonly string[]): Promise<number> {
  const { flags, words } = readFlags("rollback.sh", TABLE, args, args.includes("--restore-test") ? 1 : 0);
  if (VERBS.filter((verb) => flags[verb] !== undefined).length !== 1)
    throw new Usage("rollback.sh: say one of --list-backups, --validate-backup, --restore-system, --restore-test");
  if (flags["latest-backup"] === true && (flags["restore-test"] !== true || words.length > 0))
    throw new Usage("rollback.sh: --latest-backup belongs to --restore-test, in place of a backup's name");
  requireRoot();
  const { machine, context } = openCommand("rollback", { dryRun: false });
  if (flags["list-backups"] === true) {
    process.stdout.write(formatBackupList(listBackups(machine)));
    return EXIT.ok;
  }
  const validate = flags["validate-backup"];
  if (validate !== undefined) {
    const manifest = await validateBackup(machine, findBackup(machine, validate));
    process.stdout.write(`${manifest.id} is valid: ${manifest.entries.length} paths, as on ${manifest.createdAt}\n`);
    return EXIT.ok;
  }
  if (flags["restore-test"] === true) {
    const backup = findBackup(machine, words[0] ?? "latest");
    return await keepOperation(context, "rollback.sh --restore-test", () => testRestore(machine, backup));
  }
  const id = findBackup(machine, flags["restore-system"] ?? "");
  return await keepOperation(context, "rollback.sh", async () => {
    const restored = await restoreSystem(context, id, flags.force === true);
    for (const one of restored)
      process.stdout.write(
        rollbackText({
          ...one,
          differences: [...one.differences],
          keptEdits: [...one.keptEdits],
          notCovered: [...one.notCovered],
        }),
      );
    const wrong = restored.filter((one) => one.differences.length > 0);
    if (wrong.length === 0) return EXIT.ok;
    throw new Failure(
      "rollbackIncomplete",
      `${wrong.map((one) => one.backupId).join(", ")}: see the differences above`,
    );
  });
}

async function testRestore(machine: Machine, backupId: string): Promise<number> {
  const { identical, report } = await restoreTest(machine, backupId);
  process.stdout.write(`In a clone of this host:\n${report}`);
  if (identical) return EXIT.ok;
  throw new Failure("rollbackIncomplete", `${backupId}, put back in a clone of this host: see above`);
}
