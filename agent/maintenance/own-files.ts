import { type Dirent, lstatSync, readdirSync, rmSync } from "node:fs";
import { HOST_PATHS } from "../../contract/names.ts";
import { onMachine, ownFolder, readOwn } from "../host/files.ts";
import type { Machine } from "../host/machine.ts";
import { OPEN_STATES, readJournal } from "../patch/journal.ts";
import { readLock, readLockRecord } from "../patch/lock-file.ts";
import type { Found } from "./code.ts";

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

/** Files that a killed program left half written: every one of the agent's has this ending or lies in one of these folders. */
const HALF = /\.tmp$|\.list$|^verify-[0-9a-f]{12}$/;

/** Removes what killed programs of AutoPatch left, older than an hour, in its own folders. */
export function removeTemporaryFiles(machine: Machine): Found {
  const folders = [HOST_PATHS.state, HOST_PATHS.work, HOST_PATHS.archives, HOST_PATHS.logs];
  return removed(
    machine,
    folders.flatMap((folder) => old(machine, folder, HOUR_MS, (entry) => HALF.test(entry.name))),
  );
}

/** Removes AutoPatch's own old things: downloads that no lock names, and records of runs of more than ninety days ago. */
export function removeLeftovers(machine: Machine): Found {
  const open = readJournal(machine);
  if (open !== null && OPEN_STATES.has(open.state))
    return { text: `nothing removed: run ${open.runId} is in state ${open.state}\n`, problem: null };
  const wanted = lockedFiles(machine);
  const downloads = old(machine, HOST_PATHS.archives, DAY_MS, (entry) => entry.isFile() && !wanted.has(entry.name));
  const runs = old(
    machine,
    `${HOST_PATHS.state}/runs`,
    90 * DAY_MS,
    (entry) => entry.isDirectory() && entry.name !== open?.runId,
  );
  return removed(machine, [...downloads, ...runs]);
}

function lockedFiles(machine: Machine): Set<string> {
  const record = readLockRecord(machine);
  if (record === null || readOwn(machine, HOST_PATHS.lock) === null) return new Set();
  return new Set(readLock(machine, record.runId, record.dryRun).entries.map((entry) => entry.file));
}

function old(machine: Machine, folder: string, ageMs: number, is: (entry: Dirent) => boolean): string[] {
  const full = onMachine(machine, folder);
  if (lstatSync(full, { throwIfNoEntry: false }) === undefined) return [];
  ownFolder(machine, folder);
  const before = machine.clock.now().getTime() - ageMs;
  return readdirSync(full, { withFileTypes: true })
    .filter(
      (entry) =>
        is(entry) && (lstatSync(`${full}/${entry.name}`, { throwIfNoEntry: false })?.ctimeMs ?? before) < before,
    )
    .map((entry) => `${folder}/${entry.name}`);
}

function removed(machine: Machine, paths: readonly string[]): Found {
  for (const path of paths) rmSync(onMachine(machine, path), { recursive: true, force: true });
  return { text: paths.length === 0 ? "nothing to remove\n" : `removed ${paths.join(", ")}\n`, problem: null };
}
