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
  rmSync,
  type Stats,
  unlinkSync,
  writeSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { Failure } from "../../contract/failures.ts";
import { HOST_PATHS } from "../../contract/names.ts";
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
  requireOwnAbove(machine, path);
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
 * @throws Failure `pathUnsafe` when it is a link, somebody else's, or writable by others; or when a folder of the agent's that it
 * lies in is.
 */
export function readOwn(machine: Rooted, path: string): string | null {
  requireOwnAbove(machine, path);
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
 * Reads a file of the system's that decides whom the agent trusts, such as a keyring. Unlike our own it may be reached by links.
 * @throws Failure `pathUnsafe` when anybody but root could have written it; the system's error when it cannot be read
 */
export function readTrusted(machine: Rooted, path: string): Buffer {
  const fd = openSync(onMachine(machine, path), constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const stat = fstatSync(fd);
    if (!stat.isFile()) throw unsafe(path, "is not a file");
    // Root's own group may write what root may write.
    refuseForeign(path, stat, stat.gid === 0 ? 0o002 : 0o022);
    return readFileSync(fd);
  } finally {
    closeSync(fd);
  }
}

/** The agent's folders, each with all that is below it. */
const AGENT_FOLDERS: readonly string[] = [HOST_PATHS.work, HOST_PATHS.backups, HOST_PATHS.logs, HOST_PATHS.state];

/** Holds the agent's own folders above a path to the rule that holds for the path: whoever owns one can put anything into it. */
function requireOwnAbove(machine: Rooted, path: string): void {
  const root = AGENT_FOLDERS.find((folder) => path.startsWith(`${folder}/`));
  for (let at = dirname(path); root !== undefined && at.length >= root.length; at = dirname(at)) {
    const stat = lstatOrNull(onMachine(machine, at));
    if (stat?.isSymbolicLink()) throw unsafe(at, "is a link");
    if (stat !== null) refuseForeign(at, stat);
  }
}

/**
 * Makes sure that nobody else could have put another file at a path: each folder on the way there is the system's or ours, and nobody
 * else may write to it.
 * @throws Failure `pathUnsafe`
 */
export function requireOwnPath(machine: Rooted, path: string): void {
  for (let at = dirname(path); ; at = dirname(at)) {
    const stat = lstatOrNull(onMachine(machine, at));
    // In a sticky folder, such as /tmp, nobody can replace what is another's.
    if (stat !== null && (stat.mode & 0o1000) === 0) refuseForeign(at, stat);
    if (at === dirname(at)) return;
  }
}

/**
 * Writes a file so that after a power loss it is either as before or complete: beside, synced, renamed, folder synced.
 * The folder must exist (see `ownFolder`).
 * @throws Failure `pathUnsafe` when a folder of the agent's that it lies in is somebody else's
 * @param mode @default 0644
 */
export function writeOwn(machine: Rooted, path: string, content: string | Uint8Array, mode = 0o644): void {
  requireOwnAbove(machine, path);
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

/** Removes a file of the agent's own; nothing when there is none. */
export function removeOwn(machine: Rooted, path: string): void {
  rmSync(onMachine(machine, path), { force: true });
}

/** Makes what was written to a file survive a power loss. */
export function syncFile(full: string): void {
  sync(full, constants.O_RDONLY);
}

/** Makes renames and removals in a folder survive a power loss. */
export function syncFolder(full: string): void {
  sync(full, constants.O_RDONLY | constants.O_DIRECTORY);
}

function sync(full: string, flags: number): void {
  const fd = openSync(full, flags);
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

/** What a file of the system's holds; null when there is none. The agent's own are read with `readOwn`. */
export function readFileOrNull(machine: Rooted, path: string): string | null {
  try {
    return readFileSync(onMachine(machine, path), "utf8");
  } catch (error) {
    if (codeOf(error) === "ENOENT") return null;
    throw error;
  }
}

function refuseForeign(path: string, stat: Stats, writable = 0o022): void {
  const own = process.geteuid?.() ?? 0;
  if (stat.uid !== own) throw unsafe(path, `belongs to user ${stat.uid}, not to ${own}`);
  if ((stat.mode & writable) !== 0) {
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
