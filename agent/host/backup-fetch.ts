import { createHash } from "node:crypto";
import { closeSync, constants, fsyncSync, mkdirSync, openSync, renameSync, rmSync, writeSync } from "node:fs";
import { dirname } from "node:path";
import { GetObjectCommand } from "@aws-sdk/client-s3";
import { InstanceId } from "../../contract/envelope.ts";
import { Failure } from "../../contract/failures.ts";
import { HOST_PATHS, KEYS } from "../../contract/names.ts";
import type { FetchedRecord } from "../backup/local-files.ts";
import { BACKUP_FILES, backupFolder, latestBackup, pointLatest } from "../backup/store.ts";
import { type BackupFile, BackupListing } from "../backup/upload.ts";
import { checkSums } from "../backup/validate.ts";
import type { Cloud } from "./cloud.ts";
import { fileSystemOf } from "./disk.ts";
import { fileDigest } from "./file-digest.ts";
import { lstatOrNull, onMachine, ownFolder, syncFolder, writeOwn } from "./files.ts";
import type { Machine } from "./machine.ts";
import { openStorage } from "./storage.ts";
import { calling, listBelow, type Place } from "./storage-calls.ts";

/** What to bring back. */
export interface FetchRequest {
  /** An id, or `latest`. */
  readonly backup: string;
  /** `aws:userid` of the host that made it, or the instance id of one with the same role. @default this host */
  readonly from?: string;
}

export interface Fetched {
  readonly id: string;
  /** `aws:userid` of the host that made it. */
  readonly from: string;
  readonly own: boolean;
  /** Bytes that came over the network; 0 when it was here already. */
  readonly bytes: number;
}

const MARGIN_BYTES = 64 << 20;

/**
 * Brings a backup back from S3. Its folder appears under its name only when every file has the SHA-256 of its listing; taken up again
 * where an earlier fetch was cut short.
 * @throws Failure `backupMissing`, `diskTooFull`, `storageFailed`, `backupInvalid`
 */
export async function fetchBackup(machine: Machine, cloud: Cloud, request: FetchRequest): Promise<Fetched> {
  const storage = openStorage(cloud);
  const place: Place = { storage, bucket: cloud.bucket };
  try {
    const here = await calling("who this host is", storage.userId());
    const from = userIdOf(request.from ?? here, here);
    const id = request.backup === "latest" ? await latestOf(place, from) : request.backup;
    const { files } = await listingOf(place, from, id);
    const result = { id, from, own: from === here };
    ownFolder(machine, HOST_PATHS.backups, 0o700);
    if (isHere(machine, id, files)) return { ...result, bytes: 0 };
    const folder = `${backupFolder(id)}.fetching`;
    ownFolder(machine, folder, 0o700);
    const missing = files.filter((file) => !isWhole(machine, `${folder}/${file.path}`, file));
    requireRoom(machine, missing);
    for (const file of missing) await fetchFile(machine, place, from, file, `${folder}/${file.path}`);
    const record: FetchedRecord = { from, own: result.own, at: machine.clock.now().toISOString() };
    writeOwn(machine, `${folder}/${BACKUP_FILES.fetched}`, `${JSON.stringify(record)}\n`, 0o600);
    syncFolder(onMachine(machine, folder));
    renameSync(onMachine(machine, folder), onMachine(machine, backupFolder(id)));
    syncFolder(onMachine(machine, HOST_PATHS.backups));
    requireSums(machine, id);
    if (latestBackup(machine) === null) pointLatest(machine, id);
    return { ...result, bytes: missing.reduce((sum, file) => sum + file.size, 0) };
  } finally {
    storage.close();
  }
}

/** The listing vouches for each file, SHA256SUMS for the backup as its host wrote it. */
function requireSums(machine: Machine, id: string): void {
  try {
    checkSums(machine, id);
  } catch (error) {
    rmSync(onMachine(machine, backupFolder(id)), { recursive: true, force: true });
    throw error;
  }
}

/** Pure: an instance id stands for the session of this host's own role on that instance. */
export function userIdOf(word: string, here: string): string {
  return InstanceId.safeParse(word).success ? `${here.split(":")[0]}:${word}` : word;
}

async function latestOf(place: Place, from: string): Promise<string> {
  const prefix = KEYS.backupIndexes(from);
  const newest = [...(await listBelow(place, prefix)).keys()].sort().at(-1);
  if (newest === undefined) throw new Failure("backupMissing", `s3://${place.bucket}/${prefix} lists no backup`);
  return newest.replace(/\.json$/, "");
}

async function listingOf({ storage, bucket }: Place, from: string, id: string): Promise<BackupListing> {
  const Key = KEYS.backupIndex(from, id);
  const where = `s3://${bucket}/${Key}`;
  const got = await calling(where, storage.s3.send(new GetObjectCommand({ Bucket: bucket, Key }))).catch(
    (error: Failure) => {
      if ((error.cause as Error | undefined)?.name !== "NoSuchKey") throw error;
      throw new Failure("backupMissing", `${where} is not there: ${id} was not uploaded by ${from}`);
    },
  );
  const text = (await got.Body?.transformToString()) ?? "";
  const parsed = BackupListing.safeParse(parseJson(text));
  if (!parsed.success || parsed.data.id !== id)
    throw new Failure("backupInvalid", `${where} is no listing of ${id}: it cannot be trusted`);
  return parsed.data;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/** Whether this very backup is here. @throws Failure `backupFailed` when another of the same name is */
function isHere(machine: Machine, id: string, files: readonly BackupFile[]): boolean {
  if (lstatOrNull(onMachine(machine, backupFolder(id))) === null) return false;
  const sums = files.find((file) => file.path === BACKUP_FILES.sums);
  if (sums !== undefined && isWhole(machine, `${backupFolder(id)}/${sums.path}`, sums)) return true;
  throw new Failure("backupFailed", `${backupFolder(id)} is another backup of the same name: move it away first`);
}

function isWhole(machine: Machine, path: string, { size, sha256 }: BackupFile): boolean {
  const stat = lstatOrNull(onMachine(machine, path));
  return stat?.isFile() === true && stat.size === size && fileDigest(onMachine(machine, path)) === sha256;
}

function requireRoom(machine: Machine, missing: readonly BackupFile[]): void {
  const needed = missing.reduce((sum, file) => sum + file.size, MARGIN_BYTES);
  const { freeBytes } = fileSystemOf(machine, HOST_PATHS.backups);
  if (freeBytes >= needed) return;
  const message = `${HOST_PATHS.backups}: the backup needs ${needed} bytes, ${freeBytes} are free: free ${needed - freeBytes} more`;
  throw new Failure("diskTooFull", message);
}

/** Gets one file beside its place, never longer than it may be, and renames it when its bytes are right. */
async function fetchFile(machine: Machine, place: Place, from: string, file: BackupFile, to: string): Promise<void> {
  const { storage, bucket } = place;
  const Key = KEYS.backupObject(from, file.sha256);
  const where = `s3://${bucket}/${Key}`;
  const full = onMachine(machine, to);
  mkdirSync(dirname(full), { recursive: true, mode: 0o700 });
  const beside = `${full}.part`;
  rmSync(beside, { force: true });
  const got = await calling(where, storage.s3.send(new GetObjectCommand({ Bucket: bucket, Key })));
  const fd = openSync(
    beside,
    constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW,
    file.mode & 0o700,
  );
  const hash = createHash("sha256");
  let size = 0;
  try {
    const body = got.Body as AsyncIterable<Uint8Array> | undefined;
    await calling(
      where,
      (async () => {
        for await (const chunk of body ?? []) {
          size += chunk.length;
          if (size > file.size) break;
          hash.update(chunk);
          for (let done = 0; done < chunk.length; ) done += writeSync(fd, chunk, done);
        }
      })(),
    );
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
  const found = hash.digest("hex");
  if (size !== file.size || found !== file.sha256) {
    rmSync(beside, { force: true });
    throw new Failure("backupInvalid", `${where} (${file.path}) came with SHA-256 ${found} and ${size} bytes or more`);
  }
  renameSync(beside, full);
  syncFolder(dirname(full));
}
