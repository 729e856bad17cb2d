import { lstatSync, readdirSync, readlinkSync, renameSync, rmSync, symlinkSync } from "node:fs";
import { isAbsolute, posix } from "node:path";
import * as z from "zod";
import { Failure } from "../../contract/failures.ts";
import { HOST_PATHS } from "../../contract/names.ts";
import { codeOf, lstatOrNull, onMachine, ownFolder, readOwn, syncFolder } from "../host/files.ts";
import type { ProcessIdentity } from "../host/identity.ts";
import type { Machine } from "../host/machine.ts";
import { BackupId, InstalledRecord, Manifest } from "./manifest.ts";

/** The files of a backup. */
export const BACKUP_FILES = {
  manifest: "manifest.json",
  /** What this backup packed itself. */
  pack: "files.tar.zst",
  /** Everything in scope as it was before the change, by lstat. */
  before: "before.scan.zst",
  sums: "SHA256SUMS",
  /** The same look when the install had ended; written by the install. */
  after: "after.scan.zst",
  installed: "installed.json",
  /** What installed.json becomes once the install was undone. */
  undone: "undone.json",
  /** Where the backup came from, when it was fetched from S3. */
  fetched: "fetched.json",
} as const;

const Owner = z.object({ pid: z.int().positive(), startTime: z.string(), bootId: z.string() });

type Rooted = Pick<Machine, "root">;

/** The folder of a backup, as the machine names it. */
export function backupFolder(id: string): string {
  return `${HOST_PATHS.backups}/${id}`;
}

/**
 * The id that a person's word for a backup means: an id, a path to its folder, or `latest`.
 * @throws Failure `backupMissing` when there is none, `pathUnsafe` when its folder is not root's own
 */
export function findBackup(machine: Rooted, word: string): string {
  const named = word === "latest" ? latestBackup(machine) : word;
  if (named === null) throw missing(`there is no backup in ${HOST_PATHS.backups} yet`);
  const path = posix.normalize(named).replace(/\/+$/, "");
  const id = isAbsolute(path) && posix.dirname(path) === HOST_PATHS.backups ? posix.basename(path) : path;
  if (id === "latest" && word !== "latest") return findBackup(machine, "latest");
  if (!BackupId.safeParse(id).success) throw missing(`${JSON.stringify(word)} is no backup of ${HOST_PATHS.backups}`);
  if (lstatOrNull(onMachine(machine, backupFolder(id))) === null) throw missing(`${backupFolder(id)} is not there`);
  ownFolder(machine, HOST_PATHS.backups, 0o700);
  ownFolder(machine, backupFolder(id), 0o700);
  return id;
}

/**
 * A backup to be read only, which may be a replica of one: its id and its folder, wherever that lies.
 * @throws Failure `backupMissing` when there is none, `pathUnsafe` when its folder is not root's own
 */
export function locateBackup(machine: Rooted, word: string): { readonly id: string; readonly folder: string } {
  const folder = posix.normalize(word).replace(/\/+$/, "");
  const id = posix.basename(folder);
  if (!isAbsolute(folder) || posix.dirname(folder) === HOST_PATHS.backups || !BackupId.safeParse(id).success) {
    const found = findBackup(machine, word);
    return { id: found, folder: backupFolder(found) };
  }
  if (lstatOrNull(onMachine(machine, folder)) === null) throw missing(`${folder} is not there`);
  ownFolder(machine, folder, 0o700);
  return { id, folder };
}

function missing(why: string): Failure {
  return new Failure("backupMissing", `${why}. rollback.sh --list-backups shows what there is.`);
}

/** Ids of all whole backups, oldest first. */
export function backupIds(machine: Rooted): string[] {
  try {
    return readdirSync(onMachine(machine, HOST_PATHS.backups))
      .filter((name) => BackupId.safeParse(name).success)
      .sort();
  } catch (error) {
    if (codeOf(error) === "ENOENT" || codeOf(error) === "ENOTDIR") return [];
    throw error;
  }
}

/** Where `latest` points, or null. */
export function latestBackup(machine: Rooted): string | null {
  try {
    return readlinkSync(onMachine(machine, `${HOST_PATHS.backups}/latest`));
  } catch (error) {
    if (codeOf(error) === "ENOENT" || codeOf(error) === "EINVAL") return null;
    throw error;
  }
}

/** Lets `latest` point at a backup, by its absolute path: the seed reads it with readlink. */
export function pointLatest(machine: Rooted, id: string): void {
  const beside = onMachine(machine, `${HOST_PATHS.backups}/.latest.tmp`);
  rmSync(beside, { force: true });
  symlinkSync(backupFolder(id), beside);
  renameSync(beside, onMachine(machine, `${HOST_PATHS.backups}/latest`));
  syncFolder(onMachine(machine, HOST_PATHS.backups));
}

/** @throws Failure `backupInvalid` when the manifest is missing or is no manifest of this id */
export function readManifest(machine: Rooted, id: string, folder = backupFolder(id)): Manifest {
  const manifest = readRecord(machine, folder, BACKUP_FILES.manifest, Manifest);
  if (manifest === null) throw invalid(folder, `${BACKUP_FILES.manifest} is not there`);
  if (manifest.id !== id) throw invalid(folder, `its manifest is that of ${manifest.id}`);
  return manifest;
}

/** What the install that this backup belongs to left; null when none ended. */
export function readInstalled(machine: Rooted, id: string): InstalledRecord | null {
  return readRecord(machine, backupFolder(id), BACKUP_FILES.installed, InstalledRecord);
}

/** The install of this backup no longer stands. */
export function markUndone(machine: Rooted, id: string): void {
  const file = (name: string) => onMachine(machine, `${backupFolder(id)}/${name}`);
  if (lstatOrNull(file(BACKUP_FILES.installed)) !== null)
    renameSync(file(BACKUP_FILES.installed), file(BACKUP_FILES.undone));
}

function readRecord<T>(machine: Rooted, folder: string, file: string, schema: z.ZodType<T>): T | null {
  const text = readOwn(machine, `${folder}/${file}`);
  if (text === null) return null;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw invalid(folder, `${file} is not JSON`, cause);
  }
  const parsed = schema.safeParse(value);
  if (!parsed.success) throw invalid(folder, `${file}: ${z.prettifyError(parsed.error).slice(0, 500)}`);
  return parsed.data;
}

export function invalid(folder: string, why: string, cause?: unknown): Failure {
  return new Failure("backupInvalid", `${folder}: ${why}`, { cause });
}

/** Who makes an unfinished backup; null when its folder does not tell. */
export function unfinishedOwner(machine: Rooted, name: string): ProcessIdentity | null {
  const text = readOwn(machine, `${HOST_PATHS.backups}/${name}/owner.json`);
  try {
    return text === null ? null : Owner.parse(JSON.parse(text));
  } catch {
    // Written half by a process that was killed.
    return null;
  }
}

/** Bytes of a backup's files, those that it shares with others included. */
export function backupBytes(machine: Rooted, id: string): number {
  const folder = onMachine(machine, backupFolder(id));
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  return files.reduce((sum, file) => sum + lstatSync(`${file.parentPath}/${file.name}`).size, 0);
}
