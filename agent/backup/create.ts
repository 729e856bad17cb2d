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
import { codeOf, lstatOrNull, onMachine, ownFolder, readOwn, syncFolder } from "../host/files.ts";
import { isRunning, ownProcess } from "../host/identity.ts";
import type { Machine } from "../host/machine.ts";
import { packTar } from "../host/tar-program.ts";
import { scanTree, statPath, type Tree, untouched } from "../host/tree.ts";
import { writeTree } from "../host/tree-file.ts";
import { archivedMembers, compressArchive, openTar } from "./archive.ts";
import { entriesOf } from "./entries.ts";
import type { Manifest } from "./manifest.ts";
import { expectedChange, packageState, statusDigest } from "./package-state.ts";
import { type ExpectedChange, type PathSet, pathSet, stateFolderNames } from "./path-set.ts";
import { PACKAGE_SCOPE } from "./scope.ts";
import { BACKUP_FILES, backupFolder, pointLatest } from "./store.ts";

export interface BackupRequest {
  readonly runId: string;
  /** What is about to be installed; null for a backup made for its own sake. */
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
  /** Bytes of the archive. */
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
    timed("scan", async () => scanTree(machine, PACKAGE_SCOPE)),
  ]);
  const change = request.rehearsed === undefined ? listed : { ...listed, rehearsed: request.rehearsed };
  const set = pathSet(change, before);
  const bytes = set.present.reduce((sum, path) => sum + fileSize(before, path), 0);
  return { before, change, set, bytes };
}

/**
 * Makes a backup: written beside as `.tmp`, synced, renamed, then `latest` moved. What fails leaves nothing behind.
 * @throws Failure `diskTooFull`, `pathUnsafe`, `backupFailed`
 */
export async function createBackup(machine: Machine, request: BackupRequest): Promise<CreatedBackup> {
  ownFolder(machine, HOST_PATHS.backups, 0o700);
  sweep(machine);
  const status = statusDigest(machine);
  const plan = await planBackup(machine, request);
  refuseTooFull(machine, plan);
  const id = await freshId(machine);
  const folder = `${backupFolder(id)}.tmp`;
  const full = onMachine(machine, folder);
  try {
    mkdirSync(full, { mode: 0o700 });
    writeFileSync(`${full}/owner.json`, JSON.stringify(ownProcess(machine)), { mode: 0o600 });
    const created = await fill(machine, request, plan, { id, folder, status });
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
  at: { id: string; folder: string; status: string },
): Promise<CreatedBackup> {
  const { before, change, set } = plan;
  const full = onMachine(machine, at.folder);
  const [state] = await Promise.all([
    packageState(machine),
    request.timed("tar", () => packTar(machine, set.present, `${at.folder}/files.tar`)),
  ]);
  const tar = `${full}/files.tar`;
  const archive = `${full}/${BACKUP_FILES.archive}`;
  const [archived] = await request.timed("compress", () =>
    Promise.all([archivedMembers(openTar(tar)), compressArchive(tar, archive)]),
  );
  rmSync(tar);
  refuseMoved(machine, before, set.present);
  if (statusDigest(machine) !== at.status)
    throw new Failure("backupFailed", "packages were changed by another program while the backup was made");
  const bytes = lstatOrNull(archive)?.size ?? 0;
  const manifest: Manifest = {
    format: 1,
    id: at.id,
    runId: request.runId,
    lockDigest: request.lock === null ? null : lockDigest(request.lock),
    createdAt: machine.clock.now().toISOString(),
    archive: { file: BACKUP_FILES.archive, format: "pax tar, zstd", bytes },
    state,
    statusDigest: at.status,
    changing: [...change.packages],
    entries: entriesOf(set.present, before.paths, archived),
    absent: [...set.absent],
    stateFolders: [...stateFolderNames(change)].filter((path) => before.paths.has(path)).sort(),
    notCovered: [...set.notCovered],
  };
  await writeTree(`${full}/${BACKUP_FILES.before}`, before);
  writeFileSync(`${full}/${BACKUP_FILES.manifest}`, `${JSON.stringify(manifest)}\n`, { mode: 0o600 });
  const sums = [];
  for (const file of [BACKUP_FILES.manifest, BACKUP_FILES.archive, BACKUP_FILES.before])
    sums.push(`${fileDigest(`${full}/${file}`)}  ${file}\n`);
  writeFileSync(`${full}/${BACKUP_FILES.sums}`, sums.join(""), { mode: 0o600 });
  return { manifest, bytes };
}

/** A file that changed between the look at it and its copy would make a backup of no moment at all. */
function refuseMoved(machine: Machine, before: Tree, present: readonly string[]): void {
  for (const path of present) {
    const was = before.paths.get(path);
    const now = statPath(machine, path);
    if (was === undefined || was.type === "directory") continue;
    if (now === null || !untouched(was, now))
      throw new Failure("backupFailed", `${path} changed while the backup was made; try again`);
  }
}

/** The archive is there twice for a moment, plain and compressed, and may compress badly. */
function refuseTooFull(machine: Machine, plan: BackupPlan): void {
  const needed = 2 * (plan.bytes + 2_048 * plan.set.present.length) + (32 << 20);
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
    const folder = `${HOST_PATHS.backups}/${name}`;
    const owner = readOwn(machine, `${folder}/owner.json`);
    if (owner !== null && isRunning(machine, JSON.parse(owner))) continue;
    rmSync(onMachine(machine, folder), { recursive: true, force: true });
  }
}

function syncAll(folder: string): void {
  for (const name of readdirSync(folder)) {
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
