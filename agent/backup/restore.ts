import { dirname } from "node:path";
import type { Difference } from "../../contract/step-report.ts";
import { lstatOrNull, onMachine } from "../host/files.ts";
import type { Machine } from "../host/machine.ts";
import { putBack, type RawMember } from "../host/put-back.ts";
import { scanTree } from "../host/tree.ts";
import { readTree } from "../host/tree-file.ts";
import { compareWithBackup } from "./compare.ts";
import type { Manifest } from "./manifest.ts";
import { rawMembers } from "./pack-reader.ts";
import { isForeign, planRebuildHere, requireRebuildable } from "./rebuild.ts";
import { planRestore, type RestoreFacts, type RestorePlan } from "./restore-plan.ts";
import { PACKAGE_SCOPE } from "./scope.ts";
import { BACKUP_FILES, backupFolder } from "./store.ts";
import { besideName, editSentence } from "./three-way.ts";
import { checkSums } from "./validate.ts";

/** Another machine's inodes say nothing about this one's: there everything is compared by content. */
const NOTHING = { paths: new Map(), skipped: [] };

export interface RestoreRequest {
  readonly backupId: string;
  /** When an install that never ended can have made new paths, in nanoseconds since 1970. */
  readonly window: RestoreFacts["window"];
  /** Paths that are put back and compared, and nothing else: neither packages nor marks. @default all */
  readonly only?: (path: string) => boolean;
  timed<T>(part: string, work: () => Promise<T>): Promise<T>;
}

/** What putting a backup back came to. */
export interface Restored {
  readonly backupId: string;
  /** No path, package, mark or hold of the backup differs, nothing the change made is left, and no edit was kept. */
  readonly identical: boolean;
  readonly differences: readonly Difference[];
  /** What somebody changed under /etc after the installation and was left so: `path: what became of it`. */
  readonly keptEdits: readonly string[];
  /** Paths put back, mended or removed. */
  readonly restored: number;
  /** What a package rollback does not touch, and why: `path: why`. */
  readonly notCovered: readonly string[];
}

/**
 * Puts the host back to what a backup says and compares. The caller holds the package lock and has written the journal.
 * @throws Failure `backupInvalid` before anything is changed, `rollbackIncomplete`
 */
export async function restoreBackup(machine: Machine, request: RestoreRequest): Promise<Restored> {
  const { backupId, timed } = request;
  const file = (name: string) => onMachine(machine, `${backupFolder(backupId)}/${name}`);
  // find looks at the host while this process reads the backup.
  const [now, facts] = await Promise.all([
    timed("scan", () => scanTree(machine, PACKAGE_SCOPE)),
    timed("check", async () => {
      const manifest = checkSums(machine, backupId);
      const before = await readTree(file(BACKUP_FILES.before));
      const after = lstatOrNull(file(BACKUP_FILES.after)) === null ? null : await readTree(file(BACKUP_FILES.after));
      return { manifest, before, after };
    }),
  ]);
  const { manifest, before } = facts;
  const { only } = request;
  const foreign = isForeign(machine, manifest);
  if (foreign) await requireRebuildable(machine, manifest);
  const whole = foreign
    ? await planRebuildHere(machine, { manifest, before, now })
    : planRestore({ ...facts, now, window: request.window });
  const plan = only === undefined ? whole : limited(whole, only);

  const left = await timed("put back", async () => (isEmpty(plan) ? [] : await carryOut(machine, manifest, plan)));
  const except = new Set([...plan.kept, ...plan.edits].map(({ path }) => path));
  const compared =
    only === undefined ? manifest : { ...manifest, entries: manifest.entries.filter((e) => only(e.path)) };
  const found = await timed("compare", () => compareWithBackup(machine, compared, foreign ? NOTHING : before, except));
  // Of a part, what dpkg and apt say of all packages is no matter.
  const differences = only === undefined ? found : found.filter(({ path }) => path.startsWith("/"));
  differences.push(...plan.uncovered);
  for (const path of left) differences.push({ path, what: "unexpected", before: null, after: "directory" });
  const kept = plan.kept.map(({ path, why }) => `${path}: ${why}`);
  const notCovered = manifest.notCovered.map(({ path, why }) => `${path}: ${why}`);
  return {
    backupId,
    identical: differences.length + plan.edits.length === 0,
    differences,
    keptEdits: plan.edits.map(editSentence),
    restored: plan.putBack.length + plan.folders.length + plan.remove.length - left.length,
    notCovered: [...kept, ...notCovered],
  };
}

/** The part of a plan that touches some paths. */
function limited(plan: RestorePlan, only: (path: string) => boolean): RestorePlan {
  const here = <T extends { readonly path: string }>(some: readonly T[]) => some.filter(({ path }) => only(path));
  return {
    putBack: here(plan.putBack),
    folders: here(plan.folders),
    remove: plan.remove.filter(only),
    kept: here(plan.kept),
    edits: here(plan.edits),
    uncovered: here(plan.uncovered),
  };
}

function carryOut(machine: Machine, manifest: Manifest, plan: RestorePlan): Promise<string[]> {
  const touched = [...plan.putBack, ...plan.folders].map((entry) => entry.path);
  const edited = new Set(plan.edits.map((edit) => edit.path));
  const times = new Set([...touched, ...plan.remove, ...edited].map((path) => dirname(path)));
  for (const path of [...plan.remove, ...edited]) times.delete(path);
  const beside = plan.edits.flatMap(({ path, what, instead }) =>
    instead?.type === "file" && what !== "deleted" ? [{ path, as: besideName(path) }] : [],
  );
  return putBack(machine, {
    members: (paths) => packedMembers(machine, manifest, paths),
    // dpkg's database last: until then it says what the files around it are.
    paths: [
      ...beside,
      ...[...plan.putBack]
        .sort((a, b) => Number(a.path.startsWith("/var/lib/dpkg/")) - Number(b.path.startsWith("/var/lib/dpkg/")))
        .map((entry) => ({
          path: entry.path,
          sameAs: entry.type === "file" && !edited.has(entry.sameAs ?? "") ? entry.sameAs : undefined,
        })),
    ],
    folders: plan.folders.map((entry) => entry.path),
    times: [...times],
    remove: plan.remove,
  });
}

/** Members of a backup, from whichever packs hold them. */
async function* packedMembers(
  machine: Machine,
  { id, packs, entries }: Manifest,
  paths: ReadonlySet<string>,
): AsyncGenerator<RawMember> {
  for (const [i, pack] of packs.entries()) {
    const here = new Set(entries.filter((entry) => entry.pack === i && paths.has(entry.path)).map(({ path }) => path));
    if (here.size > 0) yield* rawMembers(onMachine(machine, `${backupFolder(id)}/${pack.file}`), pack, here);
  }
}

function isEmpty(plan: RestorePlan): boolean {
  return plan.putBack.length + plan.folders.length + plan.remove.length + plan.edits.length === 0;
}
