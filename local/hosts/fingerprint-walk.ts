import { hash } from "node:crypto";
import { lstatSync, readdirSync, readFileSync, readlinkSync } from "node:fs";
import { join } from "node:path";

/** One path of a host. Times and contents are kept apart, since a restore may be exact in all but times. */
export interface Entry {
  readonly type: "file" | "folder" | "link" | "fifo" | "socket" | "device";
  /** `uid:gid` */
  readonly owner: string;
  /** Octal permission bits. */
  readonly mode: string;
  /** Seconds since 1970, with fractions. */
  readonly mtime: number;
  /** SHA-256 of a file. */
  readonly content?: string;
  /** Target of a link, as it is written. */
  readonly target?: string;
  /** The first path that is the very same file, for one that has several names. */
  readonly sameAs?: string;
  /** Extended attributes by name, values in hexadecimal; capabilities and access lists are some. */
  readonly xattrs?: string;
}

/**
 * Everything below the given paths of a tree, by path; never follows a link, and a path that leads over one is not walked.
 * @param leftOut paths that are skipped with all below them
 */
export function walk(root: string, paths: readonly string[], leftOut: readonly string[]): Record<string, Entry> {
  const entries: Record<string, Entry> = {};
  const skipped = new Set(leftOut);
  const names = new Map<string, string>();
  const visit = (path: string): void => {
    if (skipped.has(path)) return;
    const entry = describe(join(root, path), path, names);
    entries[path] = entry;
    if (entry.type !== "folder") return;
    for (const name of readdirSync(join(root, path)).sort()) visit(`${path}/${name}`);
  };
  for (const path of paths) if (!leadsOverLink(root, path)) visit(path);
  return entries;
}

function leadsOverLink(root: string, path: string): boolean {
  const parts = path.split("/").slice(1, -1);
  return parts.some((_, end) => lstatSync(join(root, ...parts.slice(0, end + 1))).isSymbolicLink());
}

function describe(file: string, path: string, names: Map<string, string>): Entry {
  const stat = lstatSync(file);
  const common = {
    owner: `${stat.uid}:${stat.gid}`,
    mode: (stat.mode & 0o7777).toString(8),
    mtime: stat.mtimeMs / 1000,
  };
  if (stat.isDirectory()) return { type: "folder", ...common };
  if (stat.isSymbolicLink()) return { type: "link", ...common, target: readlinkSync(file) };
  if (stat.isFile()) {
    const content = hash("sha256", readFileSync(file), "hex");
    const inode = `${stat.dev}:${stat.ino}`;
    const first = stat.nlink > 1 ? names.get(inode) : undefined;
    if (first === undefined) names.set(inode, path);
    return { type: "file", ...common, content, ...(first === undefined ? {} : { sameAs: first }) };
  }
  return { type: stat.isFIFO() ? "fifo" : stat.isSocket() ? "socket" : "device", ...common };
}

// Run as a program, so that hashing does not hold up the runner, and so that it can be started inside a user namespace.
if (import.meta.main) {
  const [root, paths, leftOut] = process.argv.slice(2) as [string, string, string];
  process.stdout.write(JSON.stringify(walk(root, paths.split(","), leftOut.split(","))));
}
