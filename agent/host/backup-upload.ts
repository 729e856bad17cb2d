import { GetObjectCommand, PutObjectCommand } from "@aws-sdk/client-s3";
import { Failure } from "../../contract/failures.ts";
import { KEYS } from "../../contract/names.ts";
import { localFiles, readFetched } from "../backup/local-files.ts";
import { backupFolder, backupIds } from "../backup/store.ts";
import { type BackupListing, contentsOf } from "../backup/upload.ts";
import type { Cloud } from "./cloud.ts";
import { onMachine } from "./files.ts";
import type { Machine } from "./machine.ts";
import { isThere, uploadFile } from "./object-upload.ts";
import { openStorage } from "./storage.ts";
import { calling, listBelow, type Place } from "./storage-calls.ts";

/** What an upload came to. */
export interface Uploaded {
  /** Backups that are in S3 now and were not before, oldest first. */
  readonly backups: readonly string[];
  /** Objects sent, and those that were there already. */
  readonly sent: number;
  readonly known: number;
  /** Bytes sent. */
  readonly bytes: number;
}

export interface UploadOptions {
  /** @default every backup of this host that is not in S3 yet */
  readonly only?: readonly string[];
  /** Bytes from which a file goes in parts. @default 64 MiB */
  readonly singleBytes?: number;
}

/**
 * Takes backups off the host: every content once under its hash, then a listing, which only a whole backup gets. Can be done again
 * after being killed at any point: what has arrived is not sent twice.
 * @throws Failure `storageFailed`, `backupInvalid`
 */
export async function uploadBackups(machine: Machine, cloud: Cloud, options: UploadOptions = {}): Promise<Uploaded> {
  const storage = openStorage(cloud);
  const place: Place = { storage, bucket: cloud.bucket };
  try {
    const userId = await calling("who this host is", storage.userId());
    const listed = await listBelow(place, KEYS.backupIndexes(userId));
    const there = await listBelow(place, KEYS.backupObject(userId, ""));
    const total = { backups: [] as string[], sent: 0, known: 0, bytes: 0 };
    for (const id of options.only ?? backupIds(machine).filter((one) => readFetched(machine, one) === null)) {
      if (listed.has(`${id}.json`)) continue;
      const files = localFiles(machine, id);
      for (const { path, sha256, size } of contentsOf(files)) {
        const full = onMachine(machine, `${backupFolder(id)}/${path}`);
        const file = { full, key: KEYS.backupObject(userId, sha256), sha256, size };
        if (there.get(sha256) === size && (await isThere(place, file))) total.known++;
        else {
          await uploadFile(machine, place, file, options.singleBytes);
          there.set(sha256, size);
          total.sent++;
          total.bytes += size;
        }
      }
      await list(place, { format: 1, id, userId, files });
      machine.log.info(`${id} is in s3://${cloud.bucket}/${KEYS.hostBackups(userId)}`);
      total.backups.push(id);
    }
    return total;
  } finally {
    storage.close();
  }
}

/** A listing is written once and never changed. */
async function list({ storage, bucket }: Place, listing: BackupListing): Promise<void> {
  const Key = KEYS.backupIndex(listing.userId, listing.id);
  const Body = `${JSON.stringify(listing)}\n`;
  const put = new PutObjectCommand({ Bucket: bucket, Key, Body, ContentType: "application/json", IfNoneMatch: "*" });
  try {
    await storage.s3.send(put);
  } catch (error) {
    if ((error as Error).name !== "PreconditionFailed") return calling(`s3://${bucket}/${Key}`, Promise.reject(error));
    const asked = storage.s3.send(new GetObjectCommand({ Bucket: bucket, Key }));
    const text = await calling(`s3://${bucket}/${Key}`, asked).then((got) => got.Body?.transformToString());
    if (text === Body) return;
    throw new Failure(
      "storageFailed",
      `s3://${bucket}/${Key} is there and lists other files: ${listing.id} was made twice`,
    );
  }
}
