import { type BigIntStats, lstatSync, readdirSync, readlinkSync } from "node:fs";
import { codeOf, onMachine } from "./files.ts";
import type { Machine } from "./machine.ts";

export type PathType = "file" | "directory" | "link" | "other";

/** What lstat says of one path. */
export interface PathStat {
  readonly type: PathType;
  /** Permission bits, set-user-id and the like included. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  /** Nanoseconds since 1970, in decimal: too long for a number. */
  readonly mtime: string;
  readonly ctime: string;
  /** Where a link points to; null for anything else. */
  readonly target: string | null;
  /** Device and inode, for a file that has more than one name; else null. */
  readonly shared: string | null;
}

/** A look at part of the file system: every path below some folders, by lstat alone. */
export interface Tree {
  readonly paths: ReadonlyMap<string, PathStat>;
  /** Folders that were not entered, and why. */
  readonly skipped: readonly Skipped[];
}
export interface Skipped {
  readonly path: string;
  readonly why: string;
}

/** What a scan looks at. */
export interface Scope {
  /** Folders to begin at; a mount is entered only when it is one of them. Missing ones are passed over. */
  readonly tops: readonly string[];
  /** Files that are not looked at and folders that are not entered, with the reason. */
  readonly leftOut: Readonly<Record<string, string>>;
  /** Folders whose children may each hold at most `limit` paths; larger children are skipped as a whole. */
  readonly bounded: { readonly parents: readonly string[]; readonly limit: number };
}

/** Scans the machine. Links are never followed; a path that vanishes meanwhile is passed over. */
export function scanTree(machine: Pick<Machine, "root">, scope: Scope): Tree {
  const paths = new Map<string, PathStat>();
  const skipped: Skipped[] = [];
  const tops = new Set(scope.tops);
  const bounded = new Set(scope.bounded.parents);

  const visit = (path: string, device: bigint, into: Map<string, PathStat>): void => {
    const full = onMachine(machine, path);
    const stat = bigLstat(full);
    if (stat === null) return;
    const why = scope.leftOut[path];
    if (why !== undefined && !stat.isDirectory()) return;
    into.set(path, describe(full, stat));
    if (!stat.isDirectory()) return;
    if (why !== undefined) skipped.push({ path, why });
    else if (stat.dev !== device && !tops.has(path))
      skipped.push({ path, why: "another file system is mounted there" });
    else for (const name of namesIn(full)) child(path, name, stat.dev, into);
  };
  const child = (folder: string, name: string, device: bigint, into: Map<string, PathStat>): void => {
    const path = folder === "/" ? `/${name}` : `${folder}/${name}`;
    if (name.includes("\ufffd")) skipped.push({ path, why: "its name is not UTF-8" });
    else if (!bounded.has(folder)) visit(path, device, into);
    else {
      const own = new Map<string, PathStat>();
      const skippedBefore = skipped.length;
      visit(path, device, own);
      if (own.size <= scope.bounded.limit) for (const [key, value] of own) into.set(key, value);
      else {
        into.set(path, own.get(path) as PathStat);
        skipped.splice(skippedBefore);
        skipped.push({ path, why: `it holds ${own.size} paths, more than ${scope.bounded.limit}` });
      }
    }
  };

  for (const top of scope.tops) {
    if (paths.has(top)) continue;
    const stat = bigLstat(onMachine(machine, top));
    if (stat !== null) visit(top, stat.dev, paths);
  }
  return { paths, skipped };
}

/** One path by lstat, or null when there is nothing. */
export function statPath(machine: Pick<Machine, "root">, path: string): PathStat | null {
  const full = onMachine(machine, path);
  const stat = bigLstat(full);
  return stat === null ? null : describe(full, stat);
}

/**
 * Whether a path is untouched between two looks. For files and links the inode's change time decides, which nobody can set back;
 * a folder's changes with what lies in it, so there its own properties do.
 */
export function untouched(before: PathStat, now: PathStat): boolean {
  if (before.type !== now.type || before.mode !== now.mode || before.uid !== now.uid || before.gid !== now.gid)
    return false;
  if (before.mtime !== now.mtime) return false;
  return before.type === "directory" || (before.ctime === now.ctime && before.size === now.size);
}

function namesIn(full: string): string[] {
  try {
    return readdirSync(full);
  } catch (error) {
    if (codeOf(error) === "ENOENT" || codeOf(error) === "ENOTDIR") return [];
    throw error;
  }
}

function bigLstat(full: string): BigIntStats | null {
  try {
    return lstatSync(full, { bigint: true });
  } catch (error) {
    if (codeOf(error) === "ENOENT" || codeOf(error) === "ENOTDIR") return null;
    throw error;
  }
}

function describe(full: string, stat: BigIntStats): PathStat {
  const type = typeOf(stat);
  return {
    type,
    mode: Number(stat.mode & 0o7777n),
    uid: Number(stat.uid),
    gid: Number(stat.gid),
    size: Number(stat.size),
    mtime: String(stat.mtimeNs),
    ctime: String(stat.ctimeNs),
    target: type === "link" ? linkTarget(full) : null,
    shared: type === "file" && stat.nlink > 1n ? `${stat.dev}:${stat.ino}` : null,
  };
}

function typeOf(stat: BigIntStats): PathType {
  if (stat.isFile()) return "file";
  if (stat.isDirectory()) return "directory";
  return stat.isSymbolicLink() ? "link" : "other";
}

function linkTarget(full: string): string {
  try {
    return readlinkSync(full);
  } catch (error) {
    // Replaced since the lstat: the next look sees what became of it.
    if (codeOf(error) === "ENOENT" || codeOf(error) === "EINVAL") return "";
    throw error;
  }
}
