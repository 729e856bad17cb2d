import { Failure } from "../../contract/failures.ts";
import type { PathStat } from "../host/tree.ts";
import type { BackupEntry } from "./manifest.ts";
import type { Archived } from "./pack.ts";

/**
 * The manifest's record of a path: what lstat said, and the hash of the very bytes that lie in the archive. Pure.
 * @param pack which of the packs holds it
 * @throws Failure `backupFailed` when the archive holds another thing than was looked at
 */
export function entryOf(stat: PathStat, archived: Archived, pack: number): BackupEntry {
  const { path, type, size, sha256, xattrs } = archived;
  // What lies in a folder moves its times; of all else the change time tells that tar read what was looked at.
  const same = type === stat.type && (type !== "file" || size === stat.size);
  if (!same || (type !== "directory" && archived.ctime !== stat.ctime))
    throw new Failure("backupFailed", `${path} changed while the backup was made; try again`);
  const { mode, uid, gid, mtime } = stat;
  const common = { path, mode, uid, gid, mtime, pack, ...(Object.keys(xattrs).length > 0 ? { xattrs } : {}) };
  if (stat.type === "directory") return { type: "directory", ...common };
  if (stat.type === "link") return { type: "link", ...common, target: stat.target ?? "" };
  return { type: "file", ...common, size, sha256 };
}

/** Says of each file that is a further name of an earlier one which that is. Pure. */
export function withSharedNames(entries: readonly BackupEntry[], stats: ReadonlyMap<string, PathStat>): BackupEntry[] {
  const firstName = new Map<string, string>();
  return entries.map((entry) => {
    const shared = stats.get(entry.path)?.shared ?? null;
    if (entry.type !== "file") return entry;
    const { sameAs: _, ...alone } = entry;
    const sameAs = shared === null ? undefined : firstName.get(shared);
    if (shared !== null && sameAs === undefined) firstName.set(shared, entry.path);
    return sameAs === undefined ? alone : { ...alone, sameAs };
  });
}
