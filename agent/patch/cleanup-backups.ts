import { readdirSync, renameSync, rmSync } from "node:fs";
import { asFailure } from "../../contract/failures.ts";
import { HOST_PATHS } from "../../contract/names.ts";
import { BackupId } from "../backup/manifest.ts";
import { type BackupFact, planRetention, type Retained } from "../backup/retention.ts";
import { backupBytes, latestBackup, unfinishedOwner } from "../backup/store.ts";
import { checkSums } from "../backup/validate.ts";
import { onMachine, ownFolder, syncFolder } from "../host/files.ts";
import { isRunning } from "../host/identity.ts";
import type { Machine } from "../host/machine.ts";
import { OPEN_STATES, ownerAlive, readJournal } from "./journal.ts";

/**
 * Removes backups older than some days, and what killed backups left; never the newest that is whole, one that a change may still
 * need, or one that is being made.
 * @returns every backup with what became of it and why
 * @throws Failure `pathUnsafe`, `transactionOpen` when the journal cannot be read
 */
export function cleanupBackups(machine: Machine, days: number, dryRun: boolean): Retained[] {
  ownFolder(machine, HOST_PATHS.backups, 0o700);
  const names = readdirSync(onMachine(machine, HOST_PATHS.backups)).filter((name) => timeOf(name) !== null);
  const beingMade = names.filter((name) => {
    const owner = name.endsWith(".tmp") ? unfinishedOwner(machine, name) : null;
    return owner !== null && isRunning(machine, owner);
  });
  const retained = planRetention({
    backups: names.map((name) => factOf(machine, name)),
    latest: latestBackup(machine)?.split("/").at(-1) ?? null,
    inUse: inUse(machine),
    beingMade: new Set(beingMade),
    now: machine.clock.now(),
    days,
  });
  if (dryRun) return retained;
  for (const { id, kept } of retained) if (!kept) remove(machine, id);
  syncFolder(onMachine(machine, HOST_PATHS.backups));
  return retained;
}

function factOf(machine: Machine, id: string): BackupFact {
  const common = { id, createdAt: timeOf(id) as Date, bytes: backupBytes(machine, id) };
  if (id.endsWith(".tmp")) return { ...common, problem: null };
  try {
    checkSums(machine, id);
    return { ...common, problem: null };
  } catch (error) {
    return { ...common, problem: asFailure(error).message };
  }
}

/** The time in a backup's name, finished or not; null for any other name. */
function timeOf(name: string): Date | null {
  const id = name.replace(/\.tmp$/, "");
  if (!BackupId.safeParse(id).success) return null;
  const [, date = "", time = ""] = /^backup_(\d{8})T(\d{6})Z$/.exec(id) ?? [];
  const iso = `${date.slice(0, 4)}-${date.slice(4, 6)}-${date.slice(6)}T${time.slice(0, 2)}:${time.slice(2, 4)}:${time.slice(4)}Z`;
  const parsed = new Date(iso);
  return Number.isNaN(parsed.getTime()) ? null : parsed;
}

/** A restore takes several backups one after the other: while one is at work nothing may go. */
function inUse(machine: Machine): { all: string | null; some: Map<string, string> } {
  const journal = readJournal(machine);
  if (journal === null) return { all: null, some: new Map() };
  const { runId, state, backupId, owner } = journal;
  if (owner.pid !== process.pid && ownerAlive(machine, journal))
    return { all: `process ${owner.pid} is at work on run ${runId} (${state})`, some: new Map() };
  if (state === "rollingBack" || state === "applying")
    return {
      all: `run ${runId} was interrupted (${state}): it is not known yet what the way back needs`,
      some: new Map(),
    };
  const needed = OPEN_STATES.has(state) || state === "backedUp";
  const some = needed && backupId !== null ? [[backupId, `is the way back of run ${runId} (${state})`] as const] : [];
  return { all: null, some: new Map(some) };
}

/** Out of sight first: a removal that is cut short must not leave half a backup under its name. */
function remove(machine: Machine, id: string): void {
  const full = onMachine(machine, `${HOST_PATHS.backups}/${id}`);
  const hidden = id.endsWith(".tmp") ? full : `${full}.tmp`;
  if (hidden !== full) renameSync(full, hidden);
  rmSync(hidden, { recursive: true, force: true });
}
