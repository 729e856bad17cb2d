import { lstatSync, readdirSync, readlinkSync, renameSync, rmSync, symlinkSync } from "node:fs";
import { isAbsolute, posix } from "node:path";
import * as z from "zod";
import { Failure } from "../../contract/failures.ts";
import { HOST_PATHS } from "../../contract/names.ts";
import { codeOf, lstatOrNull, onMachine, ownFolder, readOwn, syncFolder } from "../host/files.ts";
import type { Machine } from "../host/machine.ts";
import { BackupId, InstalledRecord, Manifest } from "./manifest.ts";

/** The files of a backup. */
export const BACKUP_FILES = {
  manifest: "manifest.json",
  archive: "files.tar.zst",
  /** Everything in scope as it was before the change, by lstat. */
  before: "before.scan.zst",
  sums: "SHA256SUMS",
  /** The same look when the install had ended; written by the install. */
  after: "after.scan.zst",
  installed: "installed.json",
  /** What installed.json becomes once the install was undone. */
  undone: "undone.json",
} as const;

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
export function readManifest(machine: Rooted, id: string): Manifest {
  const manifest = readRecord(machine, id, BACKUP_FILES.manifest, Manifest);
  if (manifest === null) throw invalid(id, `${BACKUP_FILES.manifest} is not there`);
  if (manifest.id !== id) throw invalid(id, `its manifest is that of ${manifest.id}`);
  return manifest;
}

/** What the install that this backup belongs to left; null when none ended. */
export function readInstalled(machine: Rooted, id: string): InstalledRecord | null {
  return readRecord(machine, id, BACKUP_FILES.installed, InstalledRecord);
}

/** The install of this backup no longer stands. */
export function markUndone(machine: Rooted, id: string): void {
  const file = (name: string) => onMachine(machine, `${backupFolder(id)}/${name}`);
  if (lstatOrNull(file(BACKUP_FILES.installed)) !== null)
    renameSync(file(BACKUP_FILES.installed), file(BACKUP_FILES.undone));
}

function readRecord<T>(machine: Rooted, id: string, file: string, schema: z.ZodType<T>): T | null {
  const text = readOwn(machine, `${backupFolder(id)}/${file}`);
  if (text === null) return null;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw invalid(id, `${file} is not JSON`, cause);
  }
  const parsed = schema.safeParse(value);
  if (!parsed.success) throw invalid(id, `${file}: ${z.prettifyError(parsed.error).slice(0, 500)}`);
  return parsed.data;
}

export function invalid(id: string, why: string, cause?: unknown): Failure {
  return new Failure("backupInvalid", `${backupFolder(id)}: ${why}`, { cause });
}

/** Bytes of a backup's files. */
export function backupBytes(machine: Rooted, id: string): number {
  const folder = onMachine(machine, backupFolder(id));
  return readdirSync(folder).reduce((sum, name) => sum + lstatSync(`${folder}/${name}`).size, 0);
}
