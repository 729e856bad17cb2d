import { createHash } from "node:crypto";
import {
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  statfsSync,
  writeFileSync,
} from "node:fs";
import { asFailure, Failure } from "../../contract/failures.ts";
import { type Lock, lockDigest } from "../../contract/lock.ts";
import { HOST_PATHS } from "../../contract/names.ts";
import { fileTime } from "../host/clock.ts";
import { fileDigest } from "../host/file-digest.ts";
import { codeOf, lstatOrNull, onMachine, ownFolder, syncFolder } from "../host/files.ts";
import { isRunning, machineDigest, ownProcess } from "../host/identity.ts";
import type { Machine } from "../host/machine.ts";
import { scanTree, type Tree } from "../host/tree.ts";
import { writeTree } from "../host/tree-file.ts";
import { completeSet } from "./complete-set.ts";
import { findEarlier, packContents, reuseOf } from "./contents.ts";
import { layPreviousDebs } from "./keep-debs.ts";
import type { Manifest } from "./manifest.ts";
import { expectedChange, packageState, statusDigest } from "./package-state.ts";
import { type ExpectedChange, type PathSet, pathSet, stateFolderNames } from "./path-set.ts";
import type { Reuse } from "./reuse.ts";
import { PACKAGE_SCOPE } from "./scope.ts";
import { BACKUP_FILES, backupFolder, pointLatest, unfinishedOwner } from "./store.ts";

export interface BackupRequest {
  readonly runId: string;
  /** What is about to be installed; null for a backup made for its own sake, which is complete. */
  readonly lock: Lock | null;
  /** Those of the lock whose files are there to be read. @default all */
  readonly fetched?: Lock["entries"];
  /** Paths that the change touched when it was rehearsed. @default not rehearsed */
  readonly rehearsed?: readonly string[];
  /** Measures a part of the work. */
  timed<T>(part: string, work: () => Promise<T>): Promise<T>;
}

export interface CreatedBackup {
  readonly manifest: Manifest;
  /** Bytes that were stored anew, compressed. */
  readonly bytes: number;
}

/** What a backup will hold, and what it needs. */
export interface BackupPlan {
  readonly before: Tree;
  readonly change: ExpectedChange;
  readonly set: PathSet;
  /** Bytes of all files to be kept. */
  readonly bytes: number;
}

const NOTHING: ExpectedChange = { packages: [], oldPaths: [], newPaths: [], mentioned: [], diversions: [] };

/** Looks at the host and decides what to keep; changes nothing. */
export async function planBackup(machine: Machine, request: BackupRequest): Promise<BackupPlan> {
  const { lock, timed } = request;
  // The lists are read by other processes: the look at the tree goes on meanwhile.
  const [listed, before] = await Promise.all([
    timed("lists", async () => (lock === null ? NOTHING : await expectedChange(machine, lock, request.fetched))),
    timed("scan", () => scanTree(machine, PACKAGE_SCOPE)),
  ]);
  const change = request.rehearsed === undefined ? listed : { ...listed, rehearsed: request.rehearsed };
  const set = lock === null ? completeSet(before) : pathSet(change, before);
  const bytes = set.present.reduce((sum, path) => sum + fileSize(before, path), 0);
  return { before, change, set, bytes };
}

/**
 * Makes a backup: written beside as `.tmp`, synced, renamed, then `latest` moved. What the newest backup holds as it is now is not
 * stored again. What fails leaves nothing behind.
 * @throws Failure `diskTooFull`, `pathUnsafe`, `backupFailed`
 */
export async function createBackup(machine: Machine, request: BackupRequest): Promise<CreatedBackup> {
  ownFolder(machine, HOST_PATHS.backups, 0o700);
  sweep(machine);
  const status = statusDigest(machine);
  const scannedAt = machine.clock.now().toISOString();
  const [plan, earlier] = await Promise.all([
    planBackup(machine, request),
    request.timed("newest backup", () => findEarlier(machine)),
  ]);
  const reuse = reuseOf(earlier, plan.before, plan.set.present);
  refuseTooFull(machine, plan, reuse);
  const id = await freshId(machine);
  const folder = `${backupFolder(id)}.tmp`;
  const full = onMachine(machine, folder);
  try {
    mkdirSync(full, { mode: 0o700 });
    writeFileSync(`${full}/owner.json`, JSON.stringify(ownProcess(machine)), { mode: 0o600 });
    const created = await fill(machine, request, plan, reuse, { id, folder, status, scannedAt });
    rmSync(`${full}/owner.json`);
    await request.timed("sync", async () => syncAll(full));
    renameSync(full, onMachine(machine, backupFolder(id)));
    pointLatest(machine, id);
    return created;
  } catch (error) {
    rmSync(full, { recursive: true, force: true });
    throw codeOf(error) === undefined || error instanceof Failure
      ? asFailure(error)
      : new Failure("backupFailed", `${folder}: ${(error as Error).message}`, { cause: error });
  }
}

async function fill(
  machine: Machine,
  request: BackupRequest,
  plan: BackupPlan,
  reuse: Reuse,
  at: { id: string; folder: string; status: string; scannedAt: string },
): Promise<CreatedBackup> {
  const { before, change, set } = plan;
  const full = onMachine(machine, at.folder);
  const [contents, state, scanDigest] = await Promise.all([
    request.timed("pack", () => packContents(machine, at, set.present, before.paths, reuse)),
    packageState(machine),
    writeTree(`${full}/${BACKUP_FILES.before}`, before),
  ]);
  if (statusDigest(machine) !== at.status)
    throw new Failure("backupFailed", "packages were changed by another program while the backup was made");
  const manifest: Manifest = {
    format: 2,
    id: at.id,
    kind: request.lock === null ? "complete" : "change",
    machine: machineDigest(machine),
    runId: request.runId,
    lockDigest: request.lock === null ? null : lockDigest(request.lock),
    createdAt: machine.clock.now().toISOString(),
    scannedAt: at.scannedAt,
    packs: contents.packs,
    state,
    statusDigest: at.status,
    changing: [...change.packages],
    entries: contents.entries,
    absent: [...set.absent],
    stateFolders: [...stateFolderNames(change)].filter((path) => before.paths.has(path)).sort(),
    notCovered: [...set.notCovered],
  };
  const text = Buffer.from(`${JSON.stringify(manifest)}\n`);
  writeFileSync(`${full}/${BACKUP_FILES.manifest}`, text, { mode: 0o600 });
  const debs = layPreviousDebs(machine, at.folder, request.lock);
  const sums = [
    { file: BACKUP_FILES.manifest, sha256: createHash("sha256").update(text).digest("hex") },
    ...manifest.packs,
    { file: BACKUP_FILES.before, sha256: scanDigest },
    ...debs.map((file) => ({ file, sha256: fileDigest(`${full}/${file}`) })),
  ];
  writeFileSync(`${full}/${BACKUP_FILES.sums}`, sumsText(sums), { mode: 0o600 });
  return {
    manifest,
    bytes: manifest.packs.filter((pack) => pack.madeFor === at.id).reduce((sum, p) => sum + p.bytes, 0),
  };
}

/** What `sha256sum -c` reads. */
function sumsText(sums: readonly { readonly file: string; readonly sha256: string }[]): string {
  return sums.map(({ file, sha256 }) => `${sha256}  ${file}\n`).join("");
}

/** What is packed anew may compress badly. */
function refuseTooFull(machine: Machine, plan: BackupPlan, reuse: Reuse): void {
  const anew = plan.set.present.filter((path) => !reuse.kept.has(path));
  const bytes = anew.reduce((sum, path) => sum + fileSize(plan.before, path), 0);
  const needed = bytes + 2_048 * anew.length + (32 << 20);
  const { bavail, bsize } = statfsSync(onMachine(machine, HOST_PATHS.backups));
  const free = bavail * bsize;
  if (free < needed) {
    const message = `${HOST_PATHS.backups}: the backup needs ${needed} bytes, ${free} are free: free ${needed - free} more`;
    throw new Failure("diskTooFull", message);
  }
}

async function freshId(machine: Machine): Promise<string> {
  for (;;) {
    const id = `backup_${fileTime(machine.clock.now())}`;
    const taken = [backupFolder(id), `${backupFolder(id)}.tmp`].some(
      (p) => lstatOrNull(onMachine(machine, p)) !== null,
    );
    if (!taken) return id;
    await machine.clock.sleep(200);
  }
}

/** Removes what killed backups left. */
function sweep(machine: Machine): void {
  for (const name of readdirSync(onMachine(machine, HOST_PATHS.backups))) {
    if (!/^backup_.*\.tmp$/.test(name)) continue;
    const owner = unfinishedOwner(machine, name);
    if (owner !== null && isRunning(machine, owner)) continue;
    rmSync(onMachine(machine, `${HOST_PATHS.backups}/${name}`), { recursive: true, force: true });
  }
}

function syncAll(folder: string): void {
  for (const name of readdirSync(folder)) {
    if (lstatOrNull(`${folder}/${name}`)?.isDirectory()) {
      syncAll(`${folder}/${name}`);
      continue;
    }
    const fd = openSync(`${folder}/${name}`, "r");
    try {
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
  }
  syncFolder(folder);
}

function fileSize(tree: Tree, path: string): number {
  const stat = tree.paths.get(path);
  return stat?.type === "file" ? stat.size : 0;
}
