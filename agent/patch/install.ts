import type { StepOutcome } from "../../contract/envelope.ts";
import { asFailure, Failure } from "../../contract/failures.ts";
import { type Lock, lockDigest } from "../../contract/lock.ts";
import type { StepDetails } from "../../contract/step-report.ts";
import type { StepData } from "../../contract/steps.ts";
import { statusDigest } from "../backup/package-state.ts";
import { checkSums } from "../backup/validate.ts";
import { nativeArchitecture } from "../host/dpkg.ts";
import { holdRestarts, parseHeld, releaseRestarts } from "../host/held-restarts.ts";
import { bootId } from "../host/identity.ts";
import { restartServices } from "../host/restart-services.ts";
import { activeServices } from "../host/services.ts";
import { requireNotLockedDown } from "../security/lockdown/record.ts";
import { recordViolation } from "../security/violations.ts";
import { type Applied, applyLock } from "./apply.ts";
import { beginChange } from "./begin-change.ts";
import { type ClosedWorld, closeClosedWorld, deviations, openClosedWorld, simulate } from "./closed-world.ts";
import { simulateHere } from "./host-simulation.ts";
import { recordInstalled } from "./installed.ts";
import { enter, readJournal, type Transaction } from "./journal.ts";
import { requireFleetLock } from "./kept-fleet-lock.ts";
import { readLock } from "./lock-file.ts";
import { rebootReasons } from "./reboot.ts";
import type { Step, StepAnswer, StepContext } from "./step.ts";
import { failedAndUndone, recover, requireClosed, rollbackDetails, undo } from "./transaction.ts";
import { startTrial } from "./trial-clock.ts";

export interface InstallOptions {
  /** Milliseconds apt and dpkg may take before they are ended and everything is rolled back. @default 45 minutes */
  readonly deadlineMs?: number;
  /** Installs without a way back; for a person who said so in so many words. @default false */
  readonly withoutBackup?: boolean;
}

const DEADLINE_MS = 45 * 60_000;

/** Installs exactly the lock of this run, or leaves the host as it was. */
export const install: Step<"install"> = (context) => installWith(context, {});

/** The install step with a deadline or without a backup. */
export async function installWith(context: StepContext, options: InstallOptions): Promise<StepAnswer<"install">> {
  const { machine, runId } = context;
  requireNotLockedDown(machine);
  const lock = readLock(machine, runId, context.dryRun);
  if (lock.entries.length + lock.removals.length === 0)
    return { outcome: { outcome: "nothingToDo", message: "the lock changes nothing" }, details: {} };
  try {
    await requireFleetLock(context, lock);
    if (context.dryRun) return await simulateOnly(context, lock);
    const interrupted = await recover(context);
    if (interrupted?.transaction.runId === runId) {
      const failure = new Failure("installFailed", "an earlier attempt was interrupted; it has been rolled back");
      return {
        outcome: failedAndUndone(failure, interrupted),
        details: rollbackDetails(machine, interrupted.restored),
      };
    }
    const current = readJournal(machine);
    if (current?.state === "trial" && current.runId === runId && current.lockDigest === lockDigest(lock))
      return { outcome: await onTrial(context, lock, current, 0), details: {} };
    const ready = options.withoutBackup === true ? await beginWithout(context, lock) : requireBackup(context, lock);
    return await installLocked(context, lock, ready, options.deadlineMs ?? DEADLINE_MS);
  } catch (error) {
    recordViolation(machine, runId, asFailure(error));
    throw error;
  } finally {
    closeClosedWorld(machine);
  }
}

/** The backup is the gate: whole, of this run and lock, and of the packages as they still are. */
function requireBackup(context: StepContext, lock: Lock): Transaction {
  const { machine, runId } = context;
  requireClosed(context);
  const transaction = readJournal(machine);
  const digest = lockDigest(lock);
  if (transaction?.state !== "backedUp" || transaction.runId !== runId || transaction.lockDigest !== digest)
    throw new Failure("backupMissing", `there is no backup of run ${runId} for lock ${digest.slice(0, 12)}`);
  if (transaction.backupId === null) throw new Failure("backupMissing", `run ${runId} has no backup`);
  checkSums(machine, transaction.backupId);
  requireUnchanged(context, transaction);
  return transaction;
}

function requireUnchanged(context: StepContext, transaction: Transaction): void {
  if (statusDigest(context.machine) === transaction.statusBefore) return;
  throw new Failure(
    "backupInvalid",
    `${transaction.backupId}: packages were changed since it was made, by somebody else; make another backup`,
  );
}

async function beginWithout(context: StepContext, lock: Lock): Promise<Transaction> {
  context.machine.log.warn("installing without a backup, as asked: there will be no exact way back");
  return await beginChange(context, lock);
}

async function installLocked(
  context: StepContext,
  lock: Lock,
  ready: Transaction,
  deadlineMs: number,
): Promise<StepAnswer<"install">> {
  const { machine, timed } = context;
  const world = await timed("closed world", () => openClosedWorld(machine, lock));
  await timed("simulation", () => requireExact(context, world));
  requireUnchanged(context, ready);
  // From here on the watchdog looks at this host, also when this process dies.
  startTrial(machine, context.runId, ready.trialSeconds);
  const applying = enter(machine, ready, "applying", { changedInBoot: bootId(machine) });
  holdRestarts(machine);
  const applied = await timed("apply", () => applyLock(context, world, deadlineMs)).catch(unfinished);
  const held = releaseRestarts(machine);
  const recorded =
    applied.failure !== null
      ? { ...applied, kept: 0 }
      : await timed("record", () => record(context, applying, applied));
  if (recorded.failure !== null) {
    const { failure, log } = recorded;
    machine.log.error(`${failure.code}: ${failure.message}`);
    const undone = await undo(context, applying, failure.message);
    return {
      outcome: failedAndUndone(failure, undone),
      details: { ...rollbackDetails(machine, undone.restored), log },
    };
  }
  startTrial(machine, context.runId, applying.trialSeconds);
  const trial = enter(machine, applying, "trial", {
    statusAfter: statusDigest(machine),
    // Also when nothing was held: until they are done, the step that is sent again looks for what runs replaced files.
    pendingRestarts: [ALSO_OUTDATED, ...held.map(({ action, unit }) => `${action} ${unit}`)],
  });
  const details: StepDetails = { log: recorded.log };
  return { outcome: await timed("restarts", () => onTrial(context, lock, trial, recorded.kept)), details };
}

/** Stands in the journal for the look at what runs replaced files. */
const ALSO_OUTDATED = "outdated";

/** What is left to do once everything is installed, and the answer. Can be done again after a kill. */
async function onTrial(
  { machine }: StepContext,
  lock: Lock,
  trial: Transaction,
  conffilesKept: number,
): Promise<StepOutcome<"install">> {
  if (trial.pendingRestarts.length > 0) {
    const held = parseHeld(trial.pendingRestarts.join("\n"));
    const { now } = await restartServices(machine, held);
    // One that was down and is not to start by itself was left so.
    const active = new Set(await activeServices(machine));
    const done = now.filter(({ action, unit }) => action === "restart" && active.has(unit)).map(({ unit }) => unit);
    enter(machine, trial, "trial", { pendingRestarts: [], restarted: [...trial.restarted, ...done] });
  }
  const reasons = await rebootReasons(machine);
  const data = installedData(lock, conffilesKept);
  return reasons.length === 0 ? { outcome: "succeeded", data } : { outcome: "rebootRequired", reasons, data };
}

/** A look at what the install left; without it there would be no exact way back later, so its failure is the install's. */
async function record({ machine }: StepContext, transaction: Transaction, applied: Applied) {
  try {
    return { ...applied, kept: await recordInstalled(machine, transaction) };
  } catch (error) {
    return unfinished(error);
  }
}

function unfinished(error: unknown): Applied & { kept: number } {
  return { failure: asFailure(error), log: "", kept: 0 };
}

async function requireExact({ machine }: StepContext, world: ClosedWorld): Promise<void> {
  const simulation = await simulate(machine, world.options, world.command);
  const found = deviations(world.pooled, simulation, await nativeArchitecture(machine));
  if (found.length > 0) throw new Failure("outsideLock", `apt ${found.slice(0, 10).join("; ")}. Nothing was changed`);
}

/** A dry run: the same question, asked of the downloaded files when they are there, else of the host's own repositories. */
async function simulateOnly(context: StepContext, lock: Lock): Promise<StepAnswer<"install">> {
  const { machine, timed } = context;
  await timed("simulation", () => simulateHere(machine, lock));
  return { outcome: { outcome: "succeeded", data: installedData(lock, 0) }, details: {} };
}

function installedData(lock: Lock, conffilesKept: number): StepData<"install"> {
  const counts = { packages: lock.entries.length, removals: lock.removals.length, conffilesKept };
  return { lockDigest: lockDigest(lock), ...counts };
}
