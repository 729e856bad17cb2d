import type { PathStat, Tree } from "../host/tree.ts";
import { untouched } from "../host/tree.ts";
import type { BackupEntry, Manifest, Pack } from "./manifest.ts";

/** An earlier backup whose files were found whole. */
export interface Earlier {
  readonly manifest: Manifest;
  readonly before: Tree;
}

/** What of an earlier backup's packs a new one takes. */
export interface Reuse {
  /** The earlier backup. */
  readonly id: string;
  /** By their place in the earlier manifest. */
  readonly packs: ReadonlyMap<number, Pack>;
  /** Paths that lie in those packs as they are now. */
  readonly kept: ReadonlyMap<string, BackupEntry>;
  /** Paths whose content must be read to know: as large and as old as then, but touched since, as by a rollback. */
  readonly doubtful: ReadonlyMap<string, BackupEntry>;
}

/** Earlier packs that one backup takes from; more make a restore read many files for little. */
export const MOST_PACKS = 8;
/** What a path costs in an archive beside its content. */
const HEADERS = 1_536;
/** Changes this near to the look at them may share its tick of the clock: nanoseconds. */
const TICK = 2_000_000_000n;

export const NO_REUSE: Reuse = { id: "", packs: new Map(), kept: new Map(), doubtful: new Map() };

/**
 * Decides which paths need not be packed again. A pack of which less than half is still wanted is let go, and what is wanted of it
 * packed anew; so is everything when there are too many. Pure.
 */
export function planReuse(earlier: Earlier, now: Tree, present: readonly string[]): Reuse {
  const { manifest, before } = earlier;
  const entries = new Map(manifest.entries.map((entry) => [entry.path, entry]));
  const certainUntil = BigInt(Date.parse(manifest.scannedAt)) * 1_000_000n - TICK;
  const kept = new Map<string, BackupEntry>();
  const doubtful = new Map<string, BackupEntry>();
  const wanted = new Map<number, number>();
  for (const path of present) {
    const [entry, was, is] = [entries.get(path), before.paths.get(path), now.paths.get(path)];
    if (entry === undefined || is === undefined || !alike(entry, is)) continue;
    const certain =
      was !== undefined && was.ctime === is.ctime && untouched(was, is) && BigInt(is.ctime) < certainUntil;
    (certain ? kept : doubtful).set(path, entry);
    wanted.set(entry.pack, (wanted.get(entry.pack) ?? 0) + sizeOf(entry) + HEADERS);
  }
  const packs = new Map<number, Pack>();
  for (const [i, pack] of manifest.packs.entries()) if ((wanted.get(i) ?? 0) * 2 >= pack.plainBytes) packs.set(i, pack);
  if (packs.size > MOST_PACKS) return NO_REUSE;
  for (const some of [kept, doubtful]) for (const [path, entry] of some) if (!packs.has(entry.pack)) some.delete(path);
  return { id: manifest.id, packs, kept, doubtful };
}

/** Whether two records of a path say the same of it, wherever it lies. Pure. */
export function sameRecord(a: BackupEntry, b: BackupEntry): boolean {
  return record(a) === record(b);
}

function record(entry: BackupEntry): string {
  const { type, mode, uid, gid, mtime, xattrs = {} } = entry;
  const content = type === "file" ? [entry.size, entry.sha256] : type === "link" ? [entry.target] : [];
  return JSON.stringify([type, mode, uid, gid, mtime, content, Object.entries(xattrs).sort()]);
}

function alike(entry: BackupEntry, is: PathStat): boolean {
  if (entry.type !== is.type || entry.mode !== is.mode || entry.uid !== is.uid || entry.gid !== is.gid) return false;
  if (entry.mtime !== is.mtime) return false;
  return entry.type === "file" ? entry.size === is.size : entry.type === "directory" || entry.target === is.target;
}

function sizeOf(entry: BackupEntry): number {
  return entry.type === "file" ? entry.size : 0;
}
