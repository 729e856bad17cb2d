import { asFailure, EXIT, Failure } from "../../contract/failures.ts";
import { lockDigest } from "../../contract/lock.ts";
import { HOST_PATHS } from "../../contract/names.ts";
import type { StepName } from "../../contract/steps.ts";
import { createBackup } from "../backup/create.ts";
import { requireRoot } from "../host/local-machine.ts";
import { backup } from "../patch/backup.ts";
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
import { boundTo, rehearsedPaths } from "../patch/rehearsal-record.ts";
import { rehearseWith } from "../patch/rehearse.ts";
import { rollback } from "../patch/rollback.ts";
import type { StepAnswer, StepContext } from "../patch/step.ts";
import { recover } from "../patch/transaction.ts";
import { validate } from "../patch/validate.ts";
import { verify } from "../patch/verify.ts";
import { openCommand } from "./command.ts";
import type { Declaration } from "./declaration.ts";
import { keepOperation } from "./keep-operation.ts";
import { type Flags, readFlags, Usage } from "./program.ts";

export const declaration = {
  name: "install.sh",
  summary: "install what download.sh has locked, or go back",
  about:
    "Installs exactly what download.sh has locked, checks the host's health and commits; whatever fails is rolled back at once.",
  flags: {
    backup: { type: "boolean", meaning: "makes a backup first. One is made anyway when there is none for this lock" },
    rehearse: {
      type: "boolean",
      meaning:
        "makes the change in a clone of the host first, and tries the way back there; fails where no clone can be had. Without it AUTOPATCH_REHEARSE decides",
    },
    "no-rehearse": { type: "boolean", meaning: "makes no rehearsal: what to keep is computed" },
    "dry-run": { type: "boolean", meaning: "asks apt for the same, changes nothing" },
    verbose: { type: "boolean", meaning: "tells every detail" },
    force: { type: "boolean", meaning: "with --backup: makes the backup also when there is nothing to install" },
    "no-backup": { type: "boolean", meaning: "with --force: installs without any way back" },
    "deadline-seconds": {
      type: "string",
      value: "N",
      meaning: "what apt and dpkg may take before they are ended and rolled back; 2700 unless given",
    },
  },
  exits: ["blocked", "preflight", "security", "backup", "install", "unhealthy", "rollback"],
  files: [
    [HOST_PATHS.lock, "what is installed, as download.sh wrote it"],
    [HOST_PATHS.backups, "the backups, latest is the newest"],
    [HOST_PATHS.healthChecks, "executables that exit 0 when the host is healthy"],
    [HOST_PATHS.rehearsalTests, "executables that exit 0 in the clone after a change that may be made"],
    [`${HOST_PATHS.logs}/install_summary_<UTC time>.txt`, "what was done, step by step"],
  ],
} as const satisfies Declaration;

export async function run(args: readonly string[]): Promise<number> {
  const { flags } = readFlags(declaration.name, declaration.flags, args);
  if (flags["no-backup"] === true && flags.backup === true)
    throw new Usage("install.sh: --backup and --no-backup exclude each other");
  if (flags["no-backup"] === true && flags.force !== true)
    throw new Usage("install.sh: --no-backup installs without any way back; say --force too if that is meant");
  if (flags["no-backup"] === true && flags.rehearse === true)
    throw new Usage("install.sh: --rehearse finds out what a backup must hold; it excludes --no-backup");
  if (flags.rehearse === true && flags["no-rehearse"] === true)
    throw new Usage("install.sh: --rehearse and --no-rehearse exclude each other");
  const options = { ...deadline(flags["deadline-seconds"]), withoutBackup: flags["no-backup"] === true };
  requireRoot();
  const record = readLockRecord({ root: "/" });
  const { context: opened } = openCommand("install", {
    dryRun: flags["dry-run"] === true,
    verbose: flags.verbose === true,
    ...(record === null ? {} : { runId: record.runId }),
  });
  const context = withRehearsal(opened, flags);
  return await keepOperation(context, "install.sh", async () => {
    if (nothingToInstall(context)) return await onlyBackup(context, flags.backup === true && flags.force === true);
    return await installPrepared(context, options, {
      backup: flags.backup === true,
      rehearsal: flags.rehearse === true,
    });
  });
}

/** What was typed goes before what the host's configuration says. */
function withRehearsal(context: StepContext, flags: Flags<typeof declaration.flags>): StepContext {
  if (flags.rehearse !== true && flags["no-rehearse"] !== true) return context;
  return { ...context, policy: { ...context.policy, rehearse: flags.rehearse === true ? "required" : "off" } };
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
  process.stdout.write(
    `Nothing to install. Backup made as asked: ${manifest.id}, ${manifest.entries.length} paths, complete.\n`,
  );
  return EXIT.ok;
}

/** Backs up, installs, validates and commits what is locked; whatever fails is rolled back. */
export async function installPrepared(
  context: StepContext,
  options: InstallOptions,
  /** Made anew, also when there is one that would do. */
  anew: { readonly backup: boolean; readonly rehearsal: boolean },
): Promise<number> {
  const { machine, runId, dryRun } = context;
  const lock = readLock(machine, runId, dryRun);
  const summary: InstallSummary = { runId, dryRun, lock, startedAt: machine.clock.now(), steps: [] };
  try {
    await note(summary, "verify", verify(context));
    const state = stateOf(context, lockDigest(lock));
    // On trial already: an earlier call was ended before it could validate and commit.
    const skip =
      options.withoutBackup === true || state === "trial" || (state === "backedUp" && !anew.backup && !anew.rehearsal);
    if (!skip) {
      const holds = "paths" in rehearsedPaths(machine, boundTo(machine, lock, context.policy));
      const wanted = anew.rehearsal || (context.policy.rehearse !== "off" && !holds);
      if (wanted) await note(summary, "rehearse", rehearseWith(context, options));
      await note(summary, "backup", backup(context));
    }
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
