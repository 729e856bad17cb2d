import { constants, copyFileSync, linkSync } from "node:fs";
import { Failure } from "../../contract/failures.ts";
import { codeOf, onMachine } from "../host/files.ts";
import type { Machine } from "../host/machine.ts";
import type { PathStat, Tree } from "../host/tree.ts";
import { readTree } from "../host/tree-file.ts";
import { entryOf, withSharedNames } from "./entries.ts";
import type { BackupEntry, Manifest, Pack } from "./manifest.ts";
import { packPaths } from "./pack.ts";
import { type Earlier, NO_REUSE, planReuse, type Reuse, sameRecord } from "./reuse.ts";
import { BACKUP_FILES, backupFolder, backupIds } from "./store.ts";
import { checkSums } from "./validate.ts";

/** The newest backup, to take from what has not changed since; null when there is none or not every byte of it is as it was written. */
export async function findEarlier(machine: Machine): Promise<Earlier | null> {
  const newest = backupIds(machine).at(-1);
  if (newest === undefined) return null;
  try {
    const manifest = checkSums(machine, newest);
    return { manifest, before: await readTree(onMachine(machine, `${backupFolder(newest)}/${BACKUP_FILES.before}`)) };
  } catch (error) {
    machine.log.warn(`nothing is taken from ${newest}, everything is packed anew: ${(error as Error).message}`);
    return null;
  }
}

/** What of the newest backup a new one takes. */
export function reuseOf(earlier: Earlier | null, now: Tree, present: readonly string[]): Reuse {
  return earlier === null ? NO_REUSE : planReuse(earlier, now, present);
}

/** The content of a backup: its packs, and of each path what it is and where it lies. */
export type Contents = Pick<Manifest, "packs" | "entries">;

/**
 * Packs what is in no earlier pack into a backup's folder, and gives the folder a link to each earlier pack that it takes from: it
 * stands by itself, whatever becomes of the others.
 * @param folder as the machine names it
 * @throws Failure `backupFailed`
 */
export async function packContents(
  machine: Machine,
  at: { readonly id: string; readonly folder: string },
  present: readonly string[],
  stats: ReadonlyMap<string, PathStat>,
  reuse: Reuse,
): Promise<Contents> {
  const full = (file: string) => onMachine(machine, `${at.folder}/${file}`);
  const { kept, doubtful } = reuse;
  const toPack = present.filter((path) => !kept.has(path));
  const stat = (path: string) => stats.get(path) as PathStat;
  const keptAfterAll = new Map<string, BackupEntry>();
  const { archived, pack } = await packPaths(machine, {
    paths: toPack,
    full: full(BACKUP_FILES.pack),
    doubtful: new Set(doubtful.keys()),
    sizeOf: (path) => stat(path).size,
    isKept: (one) => {
      const known = doubtful.get(one.path);
      if (known === undefined || !sameRecord(known, entryOf(stat(one.path), one, 0))) return false;
      keptAfterAll.set(one.path, known);
      return true;
    },
  });
  const packs: Pack[] = pack === null ? [] : [{ file: BACKUP_FILES.pack, madeFor: at.id, ...pack }];
  const placeOf = new Map<number, number>();
  const linked = (earlier: number): number => {
    const there = placeOf.get(earlier);
    if (there !== undefined) return there;
    const from = reuse.packs.get(earlier) as Pack;
    const file = `files-${from.madeFor}.tar.zst`;
    share(onMachine(machine, `${backupFolder(reuse.id)}/${from.file}`), full(file));
    placeOf.set(earlier, packs.push({ ...from, file }) - 1);
    return packs.length - 1;
  };
  const entries = present.map((path) => {
    const known = kept.get(path) ?? keptAfterAll.get(path);
    if (known !== undefined) return { ...known, pack: linked(known.pack) };
    const one = archived.get(path);
    if (one === undefined) throw new Failure("backupFailed", `${path} is not in the archive`);
    return entryOf(stat(path), one, 0);
  });
  return { packs, entries: withSharedNames(entries, stats) };
}

/** A second name for a file; where the file system has no such thing, or no more of them, a copy. */
function share(from: string, to: string): void {
  try {
    linkSync(from, to);
  } catch (error) {
    if (!["EPERM", "EMLINK", "ENOTSUP"].includes(codeOf(error) ?? "")) throw error;
    copyFileSync(from, to, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE);
  }
}
