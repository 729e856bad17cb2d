import type { StepOutcome } from "../../contract/envelope.ts";
import { failed } from "../../contract/envelope.ts";
import { Failure } from "../../contract/failures.ts";
import type { RollbackReport } from "../../contract/step-report.ts";
import { withOtherWay } from "../backup/keep-debs.ts";
import { type Restored, restoreBackup } from "../backup/restore.ts";
import { markUndone } from "../backup/store.ts";
import { releaseRestarts } from "../host/held-restarts.ts";
import { withPackageLocks } from "../host/hold-package-locks.ts";
import { bootId } from "../host/identity.ts";
import { endLeftovers } from "../host/leftovers.ts";
import type { Machine } from "../host/machine.ts";
import { settleServices } from "../host/services.ts";
import { reloadUnits } from "../host/systemd.ts";
import { reopenedCves } from "./fixed-cves.ts";
import { lastHeartbeat } from "./heartbeat.ts";
import { enter, ownerAlive, readJournal, type Transaction } from "./journal.ts";
import type { StepContext } from "./step.ts";
import { endTrial } from "./trial-clock.ts";

/** What undoing a transaction came to. */
export interface Undone {
  readonly transaction: Transaction;
  readonly restored: Restored;
}

export interface UndoOptions {
  /** Before any service of this boot was started: systemd starts them all on what was put back. @default false */
  readonly atBoot?: boolean;
}

const SLACK_NS = 1_000_000_000n;

/**
 * Brings the host back to what it was before a transaction, and says in the journal how it went. Can be done again.
 * @param reason why, in a sentence
 * @throws Failure `rollbackIncomplete` for a transaction without a backup; `backupInvalid`, `packageLockHeld`
 */
export async function undo(
  context: StepContext,
  transaction: Transaction,
  reason: string,
  { atBoot = false }: UndoOptions = {},
): Promise<Undone> {
  const { machine, timed } = context;
  const { backupId } = transaction;
  if (backupId === null) {
    enter(machine, transaction, "abandoned", { reason });
    endTrial(machine);
    const message = `run ${transaction.runId} was installed without a backup, there is no exact way back: ${reason}`;
    throw new Failure("rollbackIncomplete", message);
  }
  const left = await endLeftovers(machine, transaction.runId);
  if (left.length > 0) machine.log.warn(`ended what the change had left running: ${left.join(", ")}`);
  // What was still running may have written until now.
  const until = left.length > 0 ? null : lastHeartbeat(machine);
  const window = changeWindow(transaction, until ?? machine.clock.now());
  const rolling = enter(machine, transaction, "rollingBack", { reason, comparison: null });
  releaseRestarts(machine);
  const restored = await withPackageLocks(machine, context.policy.lockWaitSeconds, () =>
    restoreBackup(machine, { backupId, window, timed }),
  ).catch((error: unknown) => {
    throw withOtherWay(machine, backupId, error);
  });
  if (atBoot) await reloadUnits(machine);
  else {
    const services = await settleServices(machine, {
      active: transaction.services,
      since: new Date(Number(window.from / 1_000_000n)),
      rebooted: transaction.changedInBoot !== null && transaction.changedInBoot !== bootId(machine),
    });
    if (services.length > 0) machine.log.info(`restarted ${services.join(", ")}`);
  }
  markUndone(machine, backupId);
  const { identical, differences } = restored;
  const comparison = { identical, differences: differences.length, restored: restored.restored };
  const rolledBack = enter(machine, rolling, "rolledBack", { comparison });
  endTrial(machine);
  return { transaction: rolledBack, restored };
}

/** When the change can have made new paths. */
function changeWindow(transaction: Transaction, until: Date): { from: bigint; to: bigint } {
  const began = transaction.entered.applying;
  if (began === undefined) return { from: 1n, to: 0n };
  const nanoseconds = (date: Date) => BigInt(date.getTime()) * 1_000_000n;
  return { from: nanoseconds(new Date(began)) - SLACK_NS, to: nanoseconds(until) + SLACK_NS };
}

/**
 * Called at the start of everything that changes packages: a change whose process died in the middle is undone first.
 * @returns what was undone, or null when nothing was unfinished
 * @throws Failure `transactionOpen` while that process still lives
 */
export async function recover(context: StepContext, options: UndoOptions = {}): Promise<Undone | null> {
  const { machine } = context;
  const transaction = readJournal(machine);
  if (transaction === null || (transaction.state !== "applying" && transaction.state !== "rollingBack")) return null;
  const { runId, owner, state } = transaction;
  if (ownerAlive(machine, transaction) && owner.pid !== process.pid)
    throw new Failure("transactionOpen", `run ${runId} is being changed by process ${owner.pid} (${state})`);
  machine.log.warn(`run ${runId} was interrupted in state ${state}: going back to what the host was`);
  return await undo(context, transaction, transaction.reason ?? `interrupted in state ${state}`, options);
}

/**
 * The journal, once nothing stands in the way of a new transaction of this run.
 * @throws Failure `transactionOpen` when another change is installed and not yet committed
 */
export function requireClosed(context: StepContext): void {
  const open = readJournal(context.machine);
  if (open?.state !== "trial") return;
  const message = `run ${open.runId} is installed and not committed: commit it or roll it back first`;
  throw new Failure("transactionOpen", message);
}

/** What a rollback adds to the full report. */
export function rollbackDetails(machine: Machine, restored: Restored): { rollback: RollbackReport } {
  const { backupId, identical, differences, keptEdits, notCovered } = restored;
  const lists = { differences: [...differences], keptEdits: [...keptEdits], notCovered: [...notCovered] };
  return { rollback: { backupId, identical, ...lists, reopenedCves: reopenedCves(machine, backupId) } };
}

/** The outcome of a step whose change was undone because of a failure. */
export function failedAndUndone(failure: Failure, undone: Undone): StepOutcome<"install"> {
  const { restored } = undone;
  if (restored.differences.length === 0) return failed(failure, true) as StepOutcome<"install">;
  const rest = differenceSentence(restored);
  const both = { code: failure.code, message: `${failure.message}. ROLLED BACK INCOMPLETELY: ${rest}` };
  return failed(both, false) as StepOutcome<"install">;
}

/** The first differences, in words. */
export function differenceSentence({ differences }: Pick<Restored, "differences">): string {
  const some = differences.slice(0, 5).map((d) => `${d.path}: ${d.what}, was ${d.before}, is ${d.after}`);
  return `${differences.length} differences: ${some.join("; ")}`;
}
