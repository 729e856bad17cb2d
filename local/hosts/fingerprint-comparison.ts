import type { Fingerprint, PackageList } from "./fingerprint.ts";
import type { Entry } from "./fingerprint-walk.ts";

export interface Difference {
  /** Path of a file, or the command whose answer differs. */
  readonly path: string;
  readonly what:
    | "added"
    | "removed"
    | "type"
    | "content"
    | "owner"
    | "mode"
    | "target"
    | "sameAs"
    | "xattrs"
    | "packages";
  /** Undefined when there was nothing. */
  readonly before: string | undefined;
  readonly after: string | undefined;
}

export interface Comparison {
  /** Content, type, owner, mode, links and extended attributes of every file, and every line about packages. Times are not part of it. */
  readonly identical: boolean;
  readonly differences: readonly Difference[];
  /** Number of paths and lines looked at. */
  readonly compared: number;
  /** Paths that are the same in all but their modification time. */
  readonly otherTimes: readonly string[];
}

/** Compares two fingerprints of a host, path by path. Pure; differences come in the order of their paths. */
export function compareFingerprints(before: Fingerprint, after: Fingerprint): Comparison {
  const paths = union(Object.keys(before.files), Object.keys(after.files));
  const files = paths.flatMap((path) => compareEntries(path, before.files[path], after.files[path]));
  const lists = (Object.keys(before.packages) as PackageList[]).map((list) => ({
    lines: union(before.packages[list], after.packages[list]).length,
    differences: compareLines(list, before.packages[list], after.packages[list]),
  }));
  const differences = [...files, ...lists.flatMap((list) => list.differences)];
  const changed = new Set(files.map((difference) => difference.path));
  return {
    identical: differences.length === 0,
    differences,
    compared: paths.length + lists.reduce((sum, list) => sum + list.lines, 0),
    otherTimes: paths.filter((path) => !changed.has(path) && before.files[path]?.mtime !== after.files[path]?.mtime),
  };
}

function compareEntries(path: string, before: Entry | undefined, after: Entry | undefined): Difference[] {
  if (before === undefined) return [{ path, what: "added", before: undefined, after: after?.type }];
  if (after === undefined) return [{ path, what: "removed", before: before.type, after: undefined }];
  const fields = ["type", "content", "owner", "mode", "target", "sameAs", "xattrs"] as const;
  return fields
    .filter((what) => before[what] !== after[what])
    .map((what) => ({ path, what, before: before[what], after: after[what] }));
}

function compareLines(path: string, before: readonly string[], after: readonly string[]): Difference[] {
  const [old, now] = [new Set(before), new Set(after)];
  return [
    ...before
      .filter((line) => !now.has(line))
      .map((line) => ({ path, what: "packages" as const, before: line, after: undefined })),
    ...after
      .filter((line) => !old.has(line))
      .map((line) => ({ path, what: "packages" as const, before: undefined, after: line })),
  ];
}

function union(one: readonly string[], other: readonly string[]): string[] {
  return [...new Set([...one, ...other])].sort();
}
