import { SEVERITIES } from "../../contract/audit.ts";
import { EXIT, Failure } from "../../contract/failures.ts";
import { HOST_PATHS } from "../../contract/names.ts";
import { formatBackupList, listBackups } from "../backup/list.ts";
import { restoreTest } from "../backup/restore-test.ts";
import { formatRetention } from "../backup/retention.ts";
import { findBackup, locateBackup } from "../backup/store.ts";
import { validateBackup } from "../backup/validate.ts";
import { requireRoot } from "../host/local-machine.ts";
import type { Machine } from "../host/machine.ts";
import { cleanupBackups } from "../patch/cleanup-backups.ts";
import { restoreSystem } from "../patch/restore-system.ts";
import { rollbackDetails } from "../patch/transaction.ts";
import { requireNotLockedDown } from "../security/lockdown/record.ts";
import { openCommand } from "./command.ts";
import type { Declaration } from "./declaration.ts";
import { keepOperation } from "./keep-operation.ts";
import { readFlags, Usage } from "./program.ts";
import { rollbackText } from "./undo-report.ts";

export const declaration = {
  name: "rollback.sh",
  summary: "list, check and restore the backups of this host",
  about: "BACKUP is an id as listed, the path of its folder, or latest.",
  usage: [
    "--list-backups",
    "--validate-backup BACKUP",
    "--restore-system BACKUP [--from-debs] [--force]",
    "--restore-test [--latest-backup | BACKUP]",
    "--cleanup-backups [--days N] [--dry-run]",
    "--verify-system [--format=text|json] [--output FILE]",
    "--audit-report [--format=text|json|html] [--comprehensive] [--output FILE] [--fail-on SEVERITY]",
    "--upload-backups [BACKUP]",
    "--fetch-backup BACKUP [--from-host USERID|INSTANCE]",
  ],
  flags: {
    "list-backups": { type: "boolean", meaning: "the backups of this host, newest last; * marks the latest" },
    "validate-backup": {
      type: "string",
      value: "BACKUP",
      meaning: "reads a whole backup against its manifest; a replica elsewhere by the path of its folder",
    },
    "restore-system": {
      type: "string",
      value: "BACKUP",
      meaning: "puts packages and their files back to what the backup says, and compares",
    },
    "restore-test": {
      type: "boolean",
      meaning:
        "does the same in a clone of the host that cannot touch it, and compares; the latest backup unless named",
    },
    "latest-backup": { type: "boolean", meaning: "with --restore-test: the latest backup" },
    "from-debs": {
      type: "boolean",
      meaning: "with --restore-system: by the previous packages alone, for a backup whose files are damaged",
    },
    "upload-backups": {
      type: "boolean",
      meaning: "puts into AUTOPATCH_BUCKET what is not there yet of this host's backups, or of the one named",
    },
    "fetch-backup": {
      type: "string",
      value: "BACKUP",
      meaning: "brings a backup back from there, checked; latest is the newest that is listed",
    },
    "from-host": {
      type: "string",
      value: "USERID|INSTANCE",
      meaning: "with --fetch-backup: one that another host made; an instance id means one with the same role",
    },
    "cleanup-backups": {
      type: "boolean",
      meaning:
        "removes old backups, and says of each why it stays or goes; the newest that is whole and one that a change may still need stay",
    },
    days: {
      type: "string",
      value: "N",
      meaning: "how old they must be; AUTOPATCH_BACKUP_RETENTION_DAYS unless given",
    },
    "dry-run": { type: "boolean", meaning: "with --cleanup-backups: only says what would be removed" },
    "verify-system": {
      type: "boolean",
      meaning:
        "every packaged file against dpkg's checksum, and what changed since the last install; exits 8 when a system file that is no configuration file is altered or missing",
    },
    "audit-report": {
      type: "boolean",
      meaning:
        "what is wrong with this host: severity, evidence and remedy of each finding; exits 0 when the report was made, whatever is in it",
    },
    format: {
      type: "string",
      oneOf: ["text", "json", "html"],
      meaning: "of the report; html is one page that needs nothing else; text is the default",
    },
    comprehensive: {
      type: "boolean",
      meaning: "with more checks: kernel settings, capabilities, cron, recent changes, keys, origins, all backups",
    },
    output: { type: "string", value: "FILE", meaning: "writes the report there in place of stdout, for root alone" },
    "fail-on": {
      type: "string",
      value: "SEVERITY",
      oneOf: SEVERITIES,
      meaning: "exits 8 when a finding is critical, high, medium, low or info, as named, or worse",
    },
    force: {
      type: "boolean",
      meaning:
        "goes back also when somebody changed packages since, and makes this host what another one was whose complete backup was fetched",
    },
  },
  exits: ["blocked", "security", "backup", "rollback"],
  files: [[HOST_PATHS.backups, "the backups; each has a manifest.json, and SHA256SUMS that sha256sum -c reads"]],
} as const satisfies Declaration;

/** What is asked, and the flags that go with each beside it. */
const VERBS = {
  "list-backups": [],
  "validate-backup": [],
  "restore-system": ["from-debs", "force"],
  "restore-test": ["latest-backup"],
  "cleanup-backups": ["days", "dry-run"],
  "upload-backups": [],
  "fetch-backup": ["from-host"],
  "verify-system": ["format", "output"],
  "audit-report": ["format", "output", "comprehensive", "fail-on"],
} as const satisfies Partial<Record<FlagName, readonly FlagName[]>>;
type FlagName = keyof typeof declaration.flags;
type Verb = keyof typeof VERBS;

export async function run(args: readonly string[]): Promise<number> {
  const { flags, words } = readFlags(
    declaration.name,
    declaration.flags,
    args,
    args.includes("--restore-test") || args.includes("--upload-backups") ? 1 : 0,
  );
  const verb = verbOf(flags);
  if (flags["latest-backup"] === true && words.length > 0)
    throw new Usage("rollback.sh: --latest-backup stands in place of a backup's name");
  const days = daysOf(flags.days);
  if (verb === "audit-report" || verb === "verify-system") return await (await import("./audit.ts")).runAudit(flags);
  requireRoot();
  const { machine, context, config } = openCommand("rollback", { dryRun: flags["dry-run"] === true });
  if (flags["cleanup-backups"] === true)
    return await keepOperation(context, "rollback.sh --cleanup-backups", async () => {
      const retained = cleanupBackups(machine, days ?? config.AUTOPATCH_BACKUP_RETENTION_DAYS, context.dryRun);
      process.stdout.write(formatRetention(retained, context.dryRun));
      return EXIT.ok;
    });
  if (flags["list-backups"] === true) {
    process.stdout.write(formatBackupList(listBackups(machine)));
    return EXIT.ok;
  }
  const validate = flags["validate-backup"];
  if (validate !== undefined) {
    const { id, folder } = locateBackup(machine, validate);
    const manifest = await validateBackup(machine, id, folder);
    process.stdout.write(`${manifest.id} is valid: ${manifest.entries.length} paths, as on ${manifest.createdAt}\n`);
    return EXIT.ok;
  }
  if (flags["restore-test"] === true) {
    const backup = findBackup(machine, words[0] ?? "latest");
    return await keepOperation(context, "rollback.sh --restore-test", () => testRestore(machine, backup));
  }
  const wanted = flags["fetch-backup"];
  if (wanted !== undefined || flags["upload-backups"] === true) {
    const { fetchOne, uploadAll } = await import("./rollback-storage.ts");
    return wanted === undefined
      ? await keepOperation(context, "rollback.sh --upload-backups", () => uploadAll(machine, config, words[0]))
      : await keepOperation(context, "rollback.sh --fetch-backup", () =>
          fetchOne(machine, config, wanted, flags["from-host"]),
        );
  }
  const id = findBackup(machine, flags["restore-system"] ?? "");
  requireNotLockedDown(machine);
  return await keepOperation(context, "rollback.sh", async () => {
    const restored =
      flags["from-debs"] === true
        ? [await (await import("../patch/restore-from-debs.ts")).restoreFromDebs(context, id, flags.force === true)]
        : await restoreSystem(context, id, flags.force === true);
    for (const one of restored) process.stdout.write(rollbackText(rollbackDetails(machine, one).rollback));
    const wrong = restored.filter((one) => one.differences.length > 0);
    if (wrong.length === 0) return EXIT.ok;
    throw new Failure(
      "rollbackIncomplete",
      `${wrong.map((one) => one.backupId).join(", ")}: see the differences above`,
    );
  });
}

/**
 * The one verb of a call.
 * @throws Usage when there is none or more, or a flag that does not go with it
 */
function verbOf(flags: Partial<Record<FlagName, unknown>>): Verb {
  const verbs = (Object.keys(VERBS) as Verb[]).filter((verb) => flags[verb] !== undefined);
  const [verb, ...more] = verbs;
  if (verb === undefined || more.length > 0)
    throw new Usage(
      `rollback.sh: say one of ${Object.keys(VERBS)
        .map((name) => `--${name}`)
        .join(", ")}`,
    );
  const goes: readonly FlagName[] = VERBS[verb];
  for (const flag of Object.keys(flags) as FlagName[]) {
    if (flag === verb || goes.includes(flag)) continue;
    const owners = (Object.keys(VERBS) as Verb[]).filter((one) => (VERBS[one] as readonly FlagName[]).includes(flag));
    throw new Usage(`rollback.sh: --${flag} belongs to ${owners.map((one) => `--${one}`).join(" and ")}`);
  }
  return verb;
}

function daysOf(text: string | undefined): number | undefined {
  if (text === undefined || /^\d{1,5}$/.test(text)) return text === undefined ? undefined : Number(text);
  throw new Usage(`rollback.sh: --days ${text}: a whole number of days, 0 to 99999`);
}

async function testRestore(machine: Machine, backupId: string): Promise<number> {
  const { identical, report } = await restoreTest(machine, backupId);
  process.stdout.write(`In a clone of this host:\n${report}`);
  if (identical) return EXIT.ok;
  throw new Failure("rollbackIncomplete", `${backupId}, put back in a clone of this host: see above`);
}
