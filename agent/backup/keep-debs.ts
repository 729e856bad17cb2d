import { copyFileSync, linkSync, mkdirSync } from "node:fs";
import { Failure } from "../../contract/failures.ts";
import { lockDigest as digestOf, type Lock } from "../../contract/lock.ts";
import { HOST_PATHS } from "../../contract/names.ts";
import { fileDigest } from "../host/file-digest.ts";
import { codeOf, lstatOrNull, onMachine, readOwn } from "../host/files.ts";
import type { Machine } from "../host/machine.ts";
import { keptOf, PREVIOUS_FILES, PreviousIndex } from "./previous-debs.ts";
import { BACKUP_FILES, backupFolder, invalid } from "./store.ts";

/** Where the download step leaves the .debs of what is installed. */
export const PREVIOUS_FOLDER = `${HOST_PATHS.state}/previous`;

/** The index of a folder of .debs; null when there is none, or it is none. */
export function readPreviousIndex(machine: Pick<Machine, "root">, folder: string): PreviousIndex | null {
  const text = readOwn(machine, `${folder}/${PREVIOUS_FILES.index}`);
  if (text === null) return null;
  try {
    return PreviousIndex.parse(JSON.parse(text));
  } catch {
    return null;
  }
}

/**
 * Lays the previous .debs into the folder of a backup that is being made, by links where that can be.
 * @returns the files laid there, relative to the folder; none when nothing was gathered for this lock
 */
export function layPreviousDebs(machine: Pick<Machine, "root">, folder: string, lock: Lock | null): string[] {
  const index = lock === null ? null : readPreviousIndex(machine, PREVIOUS_FOLDER);
  if (lock === null || index === null || index.lockDigest !== digestOf(lock) || index.debs.length === 0) return [];
  mkdirSync(onMachine(machine, `${folder}/${PREVIOUS_FILES.folder}`), { mode: 0o700 });
  const names = [...keptOf(index).map((deb) => deb.file), PREVIOUS_FILES.preferences, PREVIOUS_FILES.index];
  return names.map((name) => {
    const relative = `${PREVIOUS_FILES.folder}/${name}`;
    place(onMachine(machine, `${PREVIOUS_FOLDER}/${name}`), onMachine(machine, `${folder}/${relative}`));
    return relative;
  });
}

/**
 * The previous .debs of a backup, each of the very bytes that its index names; null when the backup has none.
 * @throws Failure `backupInvalid` naming the file that is not what it was
 */
export function checkedDebs(machine: Pick<Machine, "root">, backup: string): PreviousIndex | null {
  const folder = `${backup}/${PREVIOUS_FILES.folder}`;
  const relative = `${PREVIOUS_FILES.folder}/${PREVIOUS_FILES.index}`;
  if (lstatOrNull(onMachine(machine, folder)) === null) return null;
  const sums = readOwn(machine, `${backup}/${BACKUP_FILES.sums}`) ?? "";
  const index = readPreviousIndex(machine, folder);
  if (
    index === null ||
    !sums.includes(`${fileDigest(onMachine(machine, `${folder}/${PREVIOUS_FILES.index}`))}  ${relative}\n`)
  )
    throw invalid(backup, `${relative} is not as it was written`);
  for (const { file, sha256 } of keptOf(index)) {
    const full = onMachine(machine, `${folder}/${file}`);
    if (lstatOrNull(full)?.isFile() !== true) throw invalid(backup, `${PREVIOUS_FILES.folder}/${file} is not there`);
    const found = fileDigest(full);
    if (found !== sha256) throw invalid(backup, `${PREVIOUS_FILES.folder}/${file} has SHA-256 ${found}, not ${sha256}`);
  }
  return index;
}

/** A failed restore of a backup whose .debs are there names the second way back. */
export function withOtherWay(machine: Pick<Machine, "root">, id: string, error: unknown): unknown {
  if (!(error instanceof Failure) || error.code !== "backupInvalid") return error;
  const index = readPreviousIndex(machine, `${backupFolder(id)}/${PREVIOUS_FILES.folder}`);
  if (index === null || keptOf(index).length === 0) return error;
  const way = `rollback.sh --restore-system ${id} --from-debs puts its ${keptOf(index).length} previous packages back instead`;
  return new Failure(error.code, `${error.message}. ${way}`, { cause: error });
}

function place(from: string, to: string): void {
  try {
    linkSync(from, to);
  } catch (error) {
    if (codeOf(error) !== "EXDEV" && codeOf(error) !== "EPERM") throw error;
    copyFileSync(from, to);
  }
}
