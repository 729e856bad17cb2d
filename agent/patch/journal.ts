import * as z from "zod";
import { RunId } from "../../contract/envelope.ts";
import { Failure } from "../../contract/failures.ts";
import { HOST_PATHS } from "../../contract/names.ts";
import { DEFAULT_TRIAL_SECONDS } from "../../contract/request.ts";
import { ownFolder, readOwn, writeOwn } from "../host/files.ts";
import { isRunning, ownProcess } from "../host/identity.ts";
import type { Machine } from "../host/machine.ts";

export const JOURNAL = `${HOST_PATHS.state}/transaction.json`;

/**
 * The life of one change. locked: what is to be installed is known. backedUp: the way back is on disk. applying: dpkg may be at
 * work. trial: installed, not yet committed. rollingBack: files are being put back. The last three are the ends: `abandoned`
 * is an install without a backup that failed, from which there is no exact way back.
 */
export const TRANSACTION_STATES = [
  "locked",
  "backedUp",
  "applying",
  "trial",
  "rollingBack",
  "committed",
  "rolledBack",
  "abandoned",
] as const;
export type TransactionState = (typeof TRANSACTION_STATES)[number];

const Owner = z.object({ pid: z.int().positive(), startTime: z.string(), bootId: z.string() });

const Comparison = z.object({
  identical: z.boolean(),
  differences: z.int().nonnegative(),
  restored: z.int().nonnegative(),
});

export const Transaction = z.object({
  format: z.literal(1),
  runId: RunId,
  state: z.enum(TRANSACTION_STATES),
  lockDigest: z.string().regex(/^[0-9a-f]{64}$/),
  /** Null for an install without a backup. */
  backupId: z.string().nullable(),
  /** The process that changes things, by which a dead one is told from one at work. */
  owner: Owner,
  /** When each state was entered. */
  entered: z.partialRecord(z.enum(TRANSACTION_STATES), z.iso.datetime()),
  /** SHA-256 of dpkg's status file as the backup found it, and as the install left it. */
  statusBefore: z.string(),
  statusAfter: z.string().nullable(),
  /** Services active before the change, where systemd is PID 1. */
  services: z.array(z.string()),
  /** Boot in which it began to change things; null before that. */
  changedInBoot: z.string().nullable().default(null),
  /** Names of checks that failed before anything was changed. */
  failingBefore: z.array(z.string()).default([]),
  /** Restarts that packages asked for and that are still to be done: `restart ssh.service`. */
  pendingRestarts: z.array(z.string()).default([]),
  /** Units restarted after the installation. */
  restarted: z.array(z.string()).default([]),
  /** Seconds it may stay on trial without being committed. */
  trialSeconds: z.int().positive().default(DEFAULT_TRIAL_SECONDS),
  /** The reboot asked for during the trial. */
  reboot: z.object({ fromBoot: z.string(), requestedAt: z.iso.datetime() }).nullable().default(null),
  /** Why it was rolled back. */
  reason: z.string().nullable(),
  comparison: Comparison.nullable(),
});
export type Transaction = z.infer<typeof Transaction>;
export type Comparison = z.infer<typeof Comparison>;

/** States in which the host is neither what it was nor what was agreed on. */
export const OPEN_STATES: ReadonlySet<TransactionState> = new Set(["applying", "trial", "rollingBack"]);

/**
 * The last transaction of this host, or null when there never was one.
 * @throws Failure `transactionOpen` when the journal cannot be read: nothing may be changed on a guess.
 */
export function readJournal(machine: Pick<Machine, "root">): Transaction | null {
  const text = readOwn(machine, JOURNAL);
  if (text === null) return null;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    value = null;
  }
  const parsed = Transaction.safeParse(value);
  if (parsed.success) return parsed.data;
  throw new Failure(
    "transactionOpen",
    `${JOURNAL} cannot be read (${z.prettifyError(parsed.error)}): nobody knows whether a change is unfinished. ` +
      "Restore a backup with rollback.sh --restore-system, then remove the file.",
  );
}

/** Puts the transaction on disk, synced, before the change it announces. */
export function writeJournal(machine: Machine, transaction: Transaction): Transaction {
  ownFolder(machine, HOST_PATHS.state, 0o700);
  writeOwn(machine, JOURNAL, `${JSON.stringify(transaction, null, 2)}\n`, 0o600);
  return transaction;
}

/** Starts the journal of a new change, in state `locked`. */
export function beginTransaction(
  machine: Machine,
  start: Pick<Transaction, "runId" | "lockDigest" | "services" | "statusBefore"> &
    Partial<Pick<Transaction, "failingBefore" | "trialSeconds">>,
): Transaction {
  const empty = { format: 1, backupId: null, statusAfter: null, reason: null, comparison: null } as const;
  const begun = { ...empty, ...start, state: "locked", owner: ownProcess(machine), entered: {} };
  return enter(machine, Transaction.parse(begun), "locked");
}

/** Enters the next state, in this process's name. */
export function enter(
  machine: Machine,
  transaction: Transaction,
  state: TransactionState,
  changes: Partial<Transaction> = {},
): Transaction {
  const now = machine.clock.now().toISOString();
  const entered = { ...transaction.entered, [state]: now };
  return writeJournal(machine, { ...transaction, ...changes, state, entered, owner: ownProcess(machine) });
}

/** Whether the process that owns the transaction still lives. */
export function ownerAlive(machine: Pick<Machine, "root">, transaction: Transaction): boolean {
  return isRunning(machine, transaction.owner);
}
