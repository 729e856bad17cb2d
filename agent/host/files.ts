import { randomBytes } from "node:crypto";
import {
  closeSync,
  constants,
  fchmodSync,
  fstatSync,
  fsyncSync,
  lstatSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  type Stats,
  unlinkSync,
  writeSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { Failure } from "../../contract/failures.ts";
import type { Machine } from "./machine.ts";

/**
 * The agent's own files. Some of their folders lie in /var/tmp, where anybody may have made one first: nothing here
 * follows a link, and nothing is used that somebody else owns or may write to.
 */
type Rooted = Pick<Machine, "root">;

/** The path as this process reaches it: joined to the machine's root. */
export function onMachine(machine: Rooted, path: string): string {
  return join(machine.root, path);
}

/**
 * Makes sure that a folder is there and nobody else's. Missing parents are made with mode 0755.
 * @throws Failure `pathUnsafe` when it, or one of the agent's folders above it, is a link, a file, somebody else's, or
 * writable by others.
 */
export function ownFolder(machine: Rooted, path: string, mode = 0o755): string {
  const full = onMachine(machine, path);
  const parent = dirname(path);
  if (parent !== path && lstatOrNull(onMachine(machine, parent)) === null) ownFolder(machine, parent);
  try {
    mkdirSync(full, { mode });
  } catch (error) {
    if (codeOf(error) !== "EEXIST") throw error;
  }
  const stat = lstatSync(full);
  if (!stat.isDirectory()) throw unsafe(path, stat.isSymbolicLink() ? "is a link" : "is not a folder");
  refuseForeign(path, stat);
  return full;
}

/**
 * Reads a file of the agent's own, or null when there is none.
 * @throws Failure `pathUnsafe` when it is a link, somebody else's, or writable by others.
 */
export function readOwn(machine: Rooted, path: string): string | null {
  let fd: number;
  try {
    fd = openSync(onMachine(machine, path), constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    if (codeOf(error) === "ENOENT") return null;
    if (codeOf(error) === "ELOOP") throw unsafe(path, "is a link");
    throw error;
  }
  try {
    const stat = fstatSync(fd);
    if (!stat.isFile()) throw unsafe(path, "is not a file");
    refuseForeign(path, stat);
    return readFileSync(fd, "utf8");
  } finally {
    closeSync(fd);
  }
}

/**
 * Writes a file so that after a power loss it is either as before or complete: beside, synced, renamed, folder synced.
 * The folder must exist (see `ownFolder`).
 * @param mode @default 0644
 */
export function writeOwn(machine: Rooted, path: string, content: string | Uint8Array, mode = 0o644): void {
  const full = onMachine(machine, path);
  const beside = `${full}.${randomBytes(6).toString("hex")}.tmp`;
  const fd = openSync(beside, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW, mode);
  try {
    try {
      const bytes = typeof content === "string" ? Buffer.from(content, "utf8") : content;
      for (let done = 0; done < bytes.length; ) done += writeSync(fd, bytes, done);
      fchmodSync(fd, mode);
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
    renameSync(beside, full);
  } catch (error) {
    unlinkSync(beside);
    throw error;
  }
  syncFolder(dirname(full));
}

/** Makes renames and removals in a folder survive a power loss. */
export function syncFolder(full: string): void {
  const fd = openSync(full, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

/** The file's stat without following a link; null when there is nothing. */
export function lstatOrNull(full: string): Stats | null {
  return lstatSync(full, { throwIfNoEntry: false }) ?? null;
}

function refuseForeign(path: string, stat: Stats): void {
  const own = process.geteuid?.() ?? 0;
  if (stat.uid !== own) throw unsafe(path, `belongs to user ${stat.uid}, not to ${own}`);
  if ((stat.mode & 0o022) !== 0) {
    throw unsafe(path, `is writable by others (mode ${(stat.mode & 0o7777).toString(8).padStart(4, "0")})`);
  }
}

function unsafe(path: string, why: string): Failure {
  return new Failure("pathUnsafe", `${path} ${why}. Look who made it, then remove it.`);
}

/** The `code` of a system error, such as ENOENT. */
export function codeOf(error: unknown): string | undefined {
  return error instanceof Error ? (error as NodeJS.ErrnoException).code : undefined;
}
