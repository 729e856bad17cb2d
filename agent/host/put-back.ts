import { linkSync, mkdirSync, renameSync, rmdirSync, rmSync, unlinkSync } from "node:fs";
import { dirname } from "node:path";
import { codeOf, lstatOrNull, onMachine } from "./files.ts";
import type { Machine } from "./machine.ts";
import { TAR_END, type TarMember } from "./tar.ts";
import { unpackTar } from "./tar-program.ts";

/** Name of the folder at the top of each file system where files wait until they are renamed to their places. */
export const STAGE = ".autopatch-restore";

/** A member of a tar archive with all its bytes, headers and padding included. */
export interface RawMember {
  readonly path: string;
  readonly type: TarMember["type"];
  readonly raw: readonly Buffer[];
}

/** A file or link to be put back. */
export interface PathToPutBack {
  readonly path: string;
  /** Another path that is to be the same file. */
  readonly sameAs?: string | undefined;
  /** Where it goes instead, in the same folder. @default path */
  readonly as?: string;
}

export interface PutBack {
  /** Those of some paths that are kept, each once, in any order. */
  members(paths: ReadonlySet<string>): AsyncIterable<RawMember>;
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
  const stageOf = new Map<string, string>();
  const known = new Map<string, string>();
  for (const { path } of work.paths) stageOf.set(path, stageFor(machine, path, known));
  const stages = new Set(stageOf.values());
  try {
    const folders = await unpackStages(machine, work, stageOf, [...stages]);

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
    await unpackTar(machine, archiveOf(folders), "/");
    for (const stage of stages) await machine.exec("sync", ["--file-system", dirname(stage)], { deadlineMs: 600_000 });
    return left;
  } finally {
    for (const stage of stages) rmSync(full(stage), { recursive: true, force: true });
  }
}

/**
 * Unpacks every path into its stage, straight from the packs.
 * @returns the folders that are to be made or given back their times; small, as a folder has no content
 */
async function unpackStages(
  machine: Machine,
  work: PutBack,
  stageOf: ReadonlyMap<string, string>,
  stages: readonly string[],
): Promise<RawMember[]> {
  const timed = new Set([...work.folders, ...work.times, ...stages.map((stage) => dirname(stage))]);
  for (const path of stageOf.keys()) timed.delete(path);
  const folders: RawMember[] = [];
  const keepFolders = async function* (members: AsyncIterable<RawMember>) {
    for await (const member of members) {
      if (!timed.has(member.path)) yield member;
      else if (member.type === "directory") folders.push(member);
    }
  };
  for (const [i, stage] of stages.entries()) {
    rmSync(onMachine(machine, stage), { recursive: true, force: true });
    mkdirSync(onMachine(machine, stage), { mode: 0o700 });
    const paths = new Set([...stageOf].filter(([, its]) => its === stage).map(([path]) => path));
    const members = i === 0 ? keepFolders(work.members(new Set([...paths, ...timed]))) : work.members(paths);
    await unpackTar(machine, archiveOf(members), stage);
  }
  if (stages.length === 0) for await (const _ of keepFolders(work.members(timed)));
  return folders;
}

/** The members as one archive. Those that lie side by side in a frame go as one piece: they are not copied together. */
async function* archiveOf(members: AsyncIterable<RawMember> | Iterable<RawMember>): AsyncGenerator<Buffer> {
  let piece: Buffer = Buffer.alloc(0);
  for await (const { raw } of members) {
    for (const next of raw) {
      if (next.buffer === piece.buffer && next.byteOffset === piece.byteOffset + piece.length) {
        piece = Buffer.from(piece.buffer, piece.byteOffset, piece.length + next.length);
        continue;
      }
      if (piece.length > 0) yield piece;
      piece = next;
    }
  }
  yield piece;
  yield TAR_END;
}

/**
 * The staging folder on the file system of a path: a rename cannot cross to another.
 * @param known stages by folder, filled as they are found
 */
function stageFor(machine: Machine, path: string, known: Map<string, string>): string {
  const there = known.get(dirname(path));
  if (there !== undefined) return there;
  let folder = dirname(path);
  // Folders that are yet to be made, or are something else now, lie on the file system of the next one above.
  while (folder !== "/" && !lstatOrNull(onMachine(machine, folder))?.isDirectory()) folder = dirname(folder);
  const device = lstatOrNull(onMachine(machine, folder))?.dev;
  for (let above = dirname(folder); folder !== "/"; above = dirname(folder)) {
    if (lstatOrNull(onMachine(machine, above))?.dev !== device) break;
    folder = above;
  }
  const stage = folder === "/" ? `/${STAGE}` : `${folder}/${STAGE}`;
  known.set(dirname(path), stage);
  return stage;
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
