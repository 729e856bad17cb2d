import { asFailure, EXIT, Failure } from "../../contract/failures.ts";
import { lockDigest } from "../../contract/lock.ts";
import { HOST_PATHS } from "../../contract/names.ts";
import type { StepName } from "../../contract/steps.ts";
import { createBackup } from "../backup/create.ts";
import { requireRoot } from "../host/local-machine.ts";
import { type BackupOptions, backupWith } from "../patch/backup.ts";
import { commit } from "../patch/commit.ts";
import { type InstallOptions, installWith } from "../patch/install.ts";
import {
  formatInstallSummary,
  type InstallSummary,
  outcomePhrase,
  writeInstallSummary,
} from "../patch/install-summary.ts";
import { readJournal, type TransactionState } from "../patch/journal.ts";
import { readLock, readLockRecord } from "../patch/lock-file.ts";
import { rollback } from "../patch/rollback.ts";
import type { StepAnswer, StepContext } from "../patch/step.ts";
import { recover } from "../patch/transaction.ts";
import { validate } from "../patch/validate.ts";
import { verify } from "../patch/verify.ts";
import { openCommand } from "./command.ts";
import { keepOperation } from "./keep-operation.ts";
import { readFlags, Usage } from "./program.ts";

export const help = `install.sh [--backup] [--dry-run] [--verbose] [--force] [--no-backup] [--rehearse] [--deadline-seconds N]

Installs exactly what download.sh has locked, checks the host's health and commits; whatever fails is rolled back at once.
Writes ${HOST_PATHS.logs}/install_summary_<UTC time>.txt.
  --backup             makes a backup first. One is made anyway when there is none for this lock
  --rehearse           makes the change in a clone of the host first, keeps exactly what it touched, tries the way back there
  --dry-run            asks apt for the same, changes nothing
  --verbose            tells every detail
  --force              with --backup: makes the backup also when there is nothing to install
  --no-backup --force  installs without any way back
  --deadline-seconds N what apt and dpkg may take before they are ended and rolled back; 2700 unless given
`;

const TABLE = {
  backup: { type: "boolean" },
  "dry-run": { type: "boolean" },
  verbose: { type: "boolean" },
  force: { type: "boolean" },
  "no-backup": { type: "boolean" },
  rehearse: { type: "boolean" },
  "deadline-seconds": { type: "string" },
} as const;

export async function run(args: readonly string[]): Promise<number> {
  const { flags } = readFlags("install.sh", TABLE, args);
  if (flags["no-backup"] === true && flags.backup === true)
    throw new Usage("install.sh: --backup and --no-backup exclude each other");
  if (flags["no-backup"] === true && flags.force !== true)
    throw new Usage("install.sh: --no-backup installs without any way back; say --force too if that is meant");
  if (flags["no-backup"] === true && flags.rehearse === true)
    throw new Usage("install.sh: --rehearse finds out what a backup must hold; it excludes --no-backup");
  const options = { ...deadline(flags["deadline-seconds"]), withoutBackup: flags["no-backup"] === true };
  requireRoot();
  const record = readLockRecord({ root: "/" });
  const { context } = openCommand("install", {
    dryRun: flags["dry-run"] === true,
    verbose: flags.verbose === true,
    ...(record === null ? {} : { runId: record.runId }),
  });
  return await keepOperation(context, "install.sh", async () => {
    if (nothingToInstall(context)) return await onlyBackup(context, flags.backup === true && flags.force === true);
    return await patch(context, options, { wanted: flags.backup === true, rehearse: flags.rehearse === true });
  });
}

function deadline(text: string | undefined): InstallOptions {
  if (text === undefined) return {};
  const seconds = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  if (seconds < 1) throw new Usage(`install.sh: --deadline-seconds ${text}: a whole number of seconds, 1 to 99999`);
  return { deadlineMs: seconds * 1_000 };
}

/** No lock, an empty one, or one that is installed and committed already. */
function nothingToInstall(context: StepContext): boolean {
  const { machine, runId, dryRun } = context;
  if (readLockRecord(machine) === null) return true;
  const lock = readLock(machine, runId, dryRun);
  if (lock.entries.length + lock.removals.length === 0) return true;
  const last = readJournal(machine);
  return last?.state === "committed" && last.runId === runId && last.lockDigest === lockDigest(lock);
}

async function onlyBackup(context: StepContext, wanted: boolean): Promise<number> {
  const { machine, runId, timed } = context;
  if (!wanted || context.dryRun) {
    process.stdout.write("Nothing to install: download.sh has locked no update that is not installed.\n");
    if (!wanted) return EXIT.ok;
    process.stdout.write("A backup would be made (dry run).\n");
    return EXIT.ok;
  }
  await recover(context);
  const { manifest } = await createBackup(machine, { runId, lock: null, timed });
  process.stdout.write(`Nothing to install. Backup made as asked: ${manifest.id}, ${manifest.entries.length} paths.\n`);
  return EXIT.ok;
}

async function patch(
  context: StepContext,
  options: InstallOptions,
  keep: BackupOptions & { readonly wanted: boolean },
): Promise<number> {
  const { machine, runId, dryRun } = context;
  const lock = readLock(machine, runId, dryRun);
  const summary: InstallSummary = { runId, dryRun, lock, startedAt: machine.clock.now(), steps: [] };
  try {
    await note(summary, "verify", verify(context));
    const state = stateOf(context, lockDigest(lock));
    // On trial already: an earlier call was ended before it could validate and commit.
    const skip =
      options.withoutBackup === true ||
      state === "trial" ||
      (state === "backedUp" && !keep.wanted && keep.rehearse !== true);
    if (!skip) await note(summary, "backup", backupWith(context, keep));
    await note(summary, "install", installWith(context, options));
    await note(summary, "validate", validate(context)).catch((error) => goBack(context, summary, error));
    await note(summary, "commit", commit(context));
    return EXIT.ok;
  } finally {
    writeInstallSummary(machine, summary);
    process.stdout.write(formatInstallSummary(summary, machine.clock.now()));
  }
}

/** How far this very run and lock have come, or null. */
function stateOf({ machine, runId }: StepContext, digest: string): TransactionState | null {
  const last = readJournal(machine);
  return last?.runId === runId && last.lockDigest === digest ? last.state : null;
}

/** The host is not well after the install: back to what it was, then the command fails with what was found. */
async function goBack(context: StepContext, summary: InstallSummary, error: unknown): Promise<never> {
  await note(summary, "rollback", rollback(context));
  throw error;
}

/** Waits for a step and writes down how it went; what failed or is blocked is thrown, so that the command ends there. */
async function note<S extends StepName>(summary: InstallSummary, step: S, work: Promise<StepAnswer<S>>): Promise<void> {
  const { outcome } = await work.catch((error) => {
    summary.steps.push({ step, how: `failed: ${asFailure(error).message}` });
    throw error;
  });
  summary.steps.push({ step, how: outcomePhrase(outcome) });
  if (outcome.outcome === "failed") throw new Failure(outcome.code, outcome.message);
  if (outcome.outcome === "blocked")
    throw new Failure("transactionOpen", outcome.reasons.map((reason) => reason.message).join("; "));
}
