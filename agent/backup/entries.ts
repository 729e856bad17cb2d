import { Failure } from "../../contract/failures.ts";
import type { PathStat } from "../host/tree.ts";
import type { Archived } from "./archive.ts";
import type { BackupEntry } from "./manifest.ts";

/**
 * The manifest's record of each path: what lstat said, and the hash of the very bytes that lie in the archive. Pure.
 * @throws Failure `backupFailed` when the archive lacks a path or holds another kind of thing
 */
export function entriesOf(
  present: readonly string[],
  stats: ReadonlyMap<string, PathStat>,
  archived: ReadonlyMap<string, Archived>,
): BackupEntry[] {
  const firstName = new Map<string, string>();
  return present.map((path) => {
    const stat = stats.get(path);
    const member = archived.get(path);
    if (stat === undefined || member === undefined) throw new Failure("backupFailed", `${path} is not in the archive`);
    if (member.type !== stat.type || (stat.type === "file" && member.size !== stat.size))
      throw new Failure("backupFailed", `${path} changed while the backup was made; try again`);
    const { mode, uid, gid, mtime } = stat;
    const xattrs = Object.keys(member.xattrs).length > 0 ? { xattrs: { ...member.xattrs } } : {};
    const common = { path, mode, uid, gid, mtime, ...xattrs };
    if (stat.type === "directory") return { type: "directory", ...common };
    if (stat.type === "link") return { type: "link", ...common, target: stat.target ?? "" };
    const sameAs = stat.shared === null ? undefined : firstName.get(stat.shared);
    if (stat.shared !== null && sameAs === undefined) firstName.set(stat.shared, path);
    const { size, sha256 } = member;
    return { type: "file", ...common, size, sha256, ...(sameAs === undefined ? {} : { sameAs }) };
  });
}
