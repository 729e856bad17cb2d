import type { Difference } from "../../contract/step-report.ts";
import { type PathStat, type Tree, untouched } from "../host/tree.ts";
import type { BackupEntry, Manifest } from "./manifest.ts";
import { byPath, packagesOwn, topOfState, within } from "./path-set.ts";
import { addedEdits, administered, type Edit, editOf, foldersOf } from "./three-way.ts";

/** What is known when a backup is to be put back. */
export interface RestoreFacts {
  readonly manifest: Manifest;
  readonly before: Tree;
  /** The look when the install had ended; null when it never did. */
  readonly after: Tree | null;
  readonly now: Tree;
  /** Without a look after the install: when it can have made new paths, in nanoseconds. */
  readonly window: { readonly from: bigint; readonly to: bigint };
}

export interface RestorePlan {
  /** Files and links to be put back, from the archive. */
  readonly putBack: readonly BackupEntry[];
  /** Folders to be made again or given back their mode, owner and times. */
  readonly folders: readonly BackupEntry[];
  /** New paths to be removed, what lies in a folder before the folder. */
  readonly remove: readonly string[];
  /** Paths of the backup that are left as they are now, and why. */
  readonly kept: readonly { readonly path: string; readonly why: string }[];
  /** What an administrator did under /etc after the installation: left as it is. */
  readonly edits: readonly Edit[];
  /** Paths that changed, are the packages' own, and are not in the backup. */
  readonly uncovered: readonly Difference[];
}

const APPLICATION = "changed since the backup: application data";
const LATER = "changed after the installation: application data";
const UNRELATED = "changed during the installation, in a folder of another application";

/** Decides what must be done so that the host is what it was. Pure. */
export function planRestore(facts: RestoreFacts): RestorePlan {
  const { manifest, before, after, now } = facts;
  const state = new Set(manifest.stateFolders);
  const putBack: BackupEntry[] = [];
  const folders: BackupEntry[] = [];
  const kept: { path: string; why: string }[] = [];
  const uncovered: Difference[] = [];
  const edits: Edit[] = [];
  const deletedFolders: { entry: BackupEntry; edit: Edit }[] = [];
  const covered = new Set(before.skipped.map((skipped) => skipped.path));

  for (const entry of manifest.entries) {
    covered.add(entry.path);
    const was = before.paths.get(entry.path);
    const is = now.paths.get(entry.path);
    if (was !== undefined && is !== undefined && untouched(was, is)) continue;
    if (manifest.kind === "complete" && entry.type !== "directory" && !packagesOwn(entry.path, state)) {
      kept.push({ path: entry.path, why: APPLICATION });
      continue;
    }
    const edit =
      after !== null && administered(entry.path) ? editOf(entry, was, after.paths.get(entry.path), is) : null;
    if (edit !== null && (entry.type !== "directory" || edit.what !== "deleted")) edits.push(edit);
    else if (edit !== null) deletedFolders.push({ entry, edit });
    else if (entry.type === "directory" && !packagesOwn(entry.path, state)) {
      if (is === undefined) kept.push({ path: entry.path, why: UNRELATED });
    } else if (
      state.has(topOfState(entry.path) ?? "") &&
      entry.type !== "directory" &&
      changedLater(after, entry.path, is)
    )
      kept.push({ path: entry.path, why: LATER });
    else (entry.type === "directory" ? folders : putBack).push(entry);
  }
  for (const [path, was] of before.paths) {
    const is = now.paths.get(path);
    if (covered.has(path) || (is !== undefined && untouched(was, is)) || was.type === "other") continue;
    if (after !== null && !changedBetween(was, after.paths.get(path))) continue;
    if (packagesOwn(path, state)) uncovered.push(difference(path, was, is));
    else kept.push({ path, why: UNRELATED });
  }
  // What the installation took away comes back, and its folder with it.
  for (const { entry, edit } of deletedFolders)
    if (putBack.some(({ path }) => within(path, entry.path))) folders.push(entry);
    else edits.push(edit);
  folders.sort((a, b) => byPath(a.path, b.path));
  if (after !== null) edits.push(...addedEdits(before, after, now));
  const { remove, left } = newPaths(facts, state, new Set(edits.map(({ path }) => path)));
  for (const path of left) kept.push({ path, why: `new: ${UNRELATED}` });
  const inOrder = {
    kept: kept.sort((a, b) => byPath(a.path, b.path)),
    edits: edits.sort((a, b) => byPath(a.path, b.path)),
  };
  return { putBack, folders, remove, ...inOrder, uncovered };
}

/** New paths are removed when the change made them; what an application wrote is not. */
function newPaths(
  facts: RestoreFacts,
  state: ReadonlySet<string>,
  edited: ReadonlySet<string>,
): { remove: string[]; left: string[] } {
  const { manifest, before, after, now, window } = facts;
  const announced = new Set(manifest.absent);
  const skipped = new Set(before.skipped.map(({ path }) => path));
  const remove: string[] = [];
  const later: string[] = [...edited];
  const left: string[] = [];
  for (const [path, is] of now.paths) {
    if (before.paths.has(path) || edited.has(path)) continue;
    const ctime = BigInt(is.ctime);
    const made = after !== null ? after.paths.has(path) : ctime >= window.from && ctime <= window.to;
    if (after !== null && !made && administered(path)) {
      later.push(path);
      continue;
    }
    if (!made && !announced.has(path)) continue;
    if (skipped.has(topOfState(path) ?? "")) continue;
    const top = topOfState(path);
    const wholeFolderIsNew = top !== null && !before.paths.has(top);
    if (announced.has(path) || wholeFolderIsNew || packagesOwn(path, state)) remove.push(path);
    else left.push(path);
  }
  const needed = foldersOf(later, before);
  return { remove: remove.filter((path) => !needed.has(path)).sort((a, b) => byPath(b, a)), left };
}

function changedLater(after: Tree | null, path: string, is: PathStat | undefined): boolean {
  if (after === null) return false;
  return changedBetween(after.paths.get(path), is);
}

function changedBetween(a: PathStat | undefined, b: PathStat | undefined): boolean {
  if (a === undefined || b === undefined) return a !== b;
  return !untouched(a, b);
}

function difference(path: string, was: PathStat, is: PathStat | undefined): Difference {
  if (is === undefined) return { path, what: "missing", before: was.type, after: null };
  if (was.type !== is.type) return { path, what: "type", before: was.type, after: is.type };
  if (was.mode !== is.mode) return { path, what: "mode", before: was.mode.toString(8), after: is.mode.toString(8) };
  if (was.uid !== is.uid || was.gid !== is.gid)
    return { path, what: "owner", before: `${was.uid}:${was.gid}`, after: `${is.uid}:${is.gid}` };
  if (was.target !== is.target) return { path, what: "link", before: was.target, after: is.target };
  const aspect = was.type === "directory" ? "mtime" : "content";
  return { path, what: aspect, before: was.mtime, after: is.mtime };
}
