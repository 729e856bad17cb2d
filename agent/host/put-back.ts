import {
  closeSync,
  linkSync,
  mkdirSync,
  openSync,
  renameSync,
  rmdirSync,
  rmSync,
  unlinkSync,
  writeSync,
} from "node:fs";
import { dirname } from "node:path";
import { HOST_PATHS } from "../../contract/names.ts";
import { codeOf, lstatOrNull, onMachine } from "./files.ts";
import type { Machine } from "./machine.ts";
import { TAR_END, tarMembers } from "./tar.ts";
import { unpackTar } from "./tar-program.ts";

/** Name of the folder at the top of each file system where files wait until they are renamed to their places. */
export const STAGE = ".autopatch-restore";
const WORK = `${HOST_PATHS.backups}/.restore`;

/** A file or link to be put back. */
export interface PathToPutBack {
  readonly path: string;
  /** Another path that is to be the same file. */
  readonly sameAs?: string | undefined;
  /** Where it goes instead, in the same folder. @default path */
  readonly as?: string;
}

export interface PutBack {
  /** An uncompressed archive that holds all of the paths and folders. */
  readonly archive: () => AsyncIterable<Buffer>;
  readonly paths: readonly PathToPutBack[];
  /** Folders to be made or mended, parents first. */
  readonly folders: readonly string[];
  /** Folders that are given back their times after everything else. */
  readonly times: readonly string[];
  /** New paths to be removed, what lies in a folder before the folder. */
  readonly remove: readonly string[];
}

/**
 * Puts paths back so that each is either as now or as in the archive, never half: unpacked on the file system where it belongs, then
 * renamed into place. Can be done again after being killed at any point.
 * @returns new paths that could not be removed because something else lies in them
 * @throws Failure `rollbackIncomplete`
 */
export async function putBack(machine: Machine, work: PutBack): Promise<string[]> {
  const full = (path: string) => onMachine(machine, path);
  rmSync(full(WORK), { recursive: true, force: true });
  mkdirSync(full(WORK), { mode: 0o700 });
  const stages = new Set<string>();
  const stageOf = new Map<string, string>();
  const folderOnly = new Set(work.folders);
  try {
    for (const { path } of work.paths) {
      const stage = stageFor(machine, path, folderOnly);
      stageOf.set(path, stage);
      stages.add(stage);
    }
    await unpackStages(machine, work, stageOf, [...stages]);

    for (const folder of work.folders) makeFolder(full(folder));
    for (const { path, as = path } of work.paths) {
      const target = full(as);
      if (lstatOrNull(target)?.isDirectory()) rmSync(target, { recursive: true });
      renameSync(full(`${stageOf.get(path)}${path}`), target);
    }
    for (const { path, sameAs } of work.paths) if (sameAs !== undefined) shareFile(full(sameAs), full(path));
    // What lay in a folder that is a file or link again went with the folder; the link may lead somewhere else.
    const gone = (path: string): boolean => path !== "/" && (stageOf.has(dirname(path)) || gone(dirname(path)));
    const left = work.remove.filter((path) => !gone(path) && !removePath(full(path)));
    for (const stage of stages) rmSync(full(stage), { recursive: true, force: true });
    // Folders last: everything above has moved their times.
    await unpackTar(machine, `${WORK}/folders.tar`, "/");
    for (const stage of stages) await machine.exec("sync", ["--file-system", dirname(stage)], { deadlineMs: 600_000 });
    return left;
  } finally {
    for (const stage of stages) rmSync(full(stage), { recursive: true, force: true });
    rmSync(full(WORK), { recursive: true, force: true });
  }
}

async function unpackStages(
  machine: Machine,
  work: PutBack,
  stageOf: ReadonlyMap<string, string>,
  stages: readonly string[],
): Promise<void> {
  const file = (index: number) => `${WORK}/${index}.tar`;
  const handles = new Map(stages.map((stage, i) => [stage, openSync(onMachine(machine, file(i)), "wx", 0o600)]));
  const folders = openSync(onMachine(machine, `${WORK}/folders.tar`), "wx", 0o600);
  const timed = new Set([...work.folders, ...work.times, ...stages.map((stage) => dirname(stage))]);
  try {
    for await (const member of tarMembers(work.archive())) {
      const folder = member.type === "directory" && timed.has(member.path);
      const handle = folder ? folders : handles.get(stageOf.get(member.path) ?? "");
      if (handle === undefined) continue;
      writeAll(handle, member.head);
      for await (const { bytes } of member.body) writeAll(handle, bytes);
    }
    for (const handle of [...handles.values(), folders]) writeAll(handle, TAR_END);
  } finally {
    for (const handle of [...handles.values(), folders]) closeSync(handle);
  }
  for (const [i, stage] of stages.entries()) {
    rmSync(onMachine(machine, stage), { recursive: true, force: true });
    mkdirSync(onMachine(machine, stage), { mode: 0o700 });
    await unpackTar(machine, file(i), stage);
    rmSync(onMachine(machine, file(i)));
  }
}

/** The staging folder on the file system of a path: a rename cannot cross to another. */
function stageFor(machine: Machine, path: string, made: ReadonlySet<string>): string {
  let folder = dirname(path);
  // Folders that are yet to be made, or are something else now, lie on the file system of the next one above.
  while (folder !== "/" && (made.has(folder) || !lstatOrNull(onMachine(machine, folder))?.isDirectory()))
    folder = dirname(folder);
  const device = lstatOrNull(onMachine(machine, folder))?.dev;
  for (let above = dirname(folder); folder !== "/"; above = dirname(folder)) {
    if (lstatOrNull(onMachine(machine, above))?.dev !== device) break;
    folder = above;
  }
  return folder === "/" ? `/${STAGE}` : `${folder}/${STAGE}`;
}

function makeFolder(full: string): void {
  const now = lstatOrNull(full);
  if (now?.isDirectory()) return;
  if (now !== null) unlinkSync(full);
  mkdirSync(full, { mode: 0o700 });
}

function shareFile(first: string, second: string): void {
  if (lstatOrNull(first)?.ino === lstatOrNull(second)?.ino) return;
  const beside = `${second}.autopatch-link`;
  rmSync(beside, { force: true });
  linkSync(first, beside);
  renameSync(beside, second);
}

function removePath(full: string): boolean {
  try {
    if (lstatOrNull(full)?.isDirectory()) rmdirSync(full);
    else unlinkSync(full);
    return true;
  } catch (error) {
    if (codeOf(error) === "ENOENT") return true;
    if (codeOf(error) === "ENOTEMPTY" || codeOf(error) === "EEXIST") return false;
    throw error;
  }
}

function writeAll(fd: number, bytes: Buffer): void {
  for (let done = 0; done < bytes.length; ) done += writeSync(fd, bytes, done);
}
