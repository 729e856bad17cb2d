import { dirname } from "node:path";
import { type PathStat, type Tree, untouched } from "../host/tree.ts";
import type { BackupEntry } from "./manifest.ts";
import { within } from "./path-set.ts";

/** An edit made after the installation, which a rollback leaves as it is. */
export interface Edit {
  readonly path: string;
  readonly what: "changed" | "deleted" | "added";
  /** What the rollback would have put back in its place; null when the installation had not touched the path, or it was new. */
  readonly instead: BackupEntry | null;
}

/** Under /etc, but written by programs: each goes with something that the rollback puts back as a whole. */
const MADE = ["/etc/alternatives", "/etc/ld.so.cache"];

/** Whether the administrator has a say in what becomes of a path. Pure. */
export function administered(path: string): boolean {
  return within(path, "/etc") && path !== "/etc" && !MADE.some((made) => within(path, made));
}

/**
 * What somebody did to a path of the backup after the installation, or null when it is as the installation left it, or as it was
 * before: a rollback that was cut short, or that of a later installation, has then put it there. Change times do not count,
 * as these have new ones. Pure.
 * @param was before the installation, @param left after it, @param is now
 */
export function editOf(
  entry: BackupEntry,
  was: PathStat | undefined,
  left: PathStat | undefined,
  is: PathStat | undefined,
): Edit | null {
  if (alike(left, is) || alike(was, is)) return null;
  const { path } = entry;
  const what = is === undefined ? "deleted" : left === undefined ? "added" : "changed";
  // Here change times decide: two builds of a package may ship files of the same time and size.
  const alone = was !== undefined && left !== undefined && untouched(was, left);
  return { path, what, instead: alone ? null : entry };
}

/** What somebody did to paths that the installation had made new. Pure. */
export function addedEdits(before: Tree, after: Tree, now: Tree): Edit[] {
  const found: Edit[] = [];
  for (const [path, is] of now.paths) {
    const left = after.paths.get(path);
    if (before.paths.has(path) || left === undefined || !administered(path) || alike(left, is)) continue;
    found.push({ path, what: "changed", instead: null });
  }
  return found;
}

/** New folders that have to stay because something that is not the installation's lies in them. Pure. */
export function foldersOf(paths: Iterable<string>, before: Tree): Set<string> {
  const folders = new Set<string>();
  for (const path of paths) {
    for (let folder = dirname(path); administered(folder) && !before.paths.has(folder); folder = dirname(folder))
      folders.add(folder);
  }
  return folders;
}

/** The name beside a file for what would have been put back: a trailing ~ is passed over by run-parts, cron, sudo and logrotate. */
export function besideName(path: string): string {
  return `${path}.autopatch-before~`;
}

/** The edit in a sentence. */
export function editSentence({ path, what, instead }: Edit): string {
  const kept = `${path}: ${what} after the installation, kept so`;
  if (instead === null) return kept;
  if (what === "deleted") return `${kept}; the backup has it as it was`;
  return instead.type === "file" ? `${kept}; as it was: ${besideName(path)}` : `${kept}; it was a ${instead.type}`;
}

function alike(a: PathStat | undefined, b: PathStat | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  if (a.type !== b.type || a.mode !== b.mode || a.uid !== b.uid || a.gid !== b.gid) return false;
  // A folder's time and size follow what lies in it.
  return a.type === "directory" || (a.mtime === b.mtime && a.size === b.size && a.target === b.target);
}
