import { createHash } from "node:crypto";
import { closeSync, constants, openSync, readSync } from "node:fs";
import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  HeadObjectCommand,
  ListPartsCommand,
  PutObjectCommand,
  UploadPartCommand,
} from "@aws-sdk/client-s3";
import * as z from "zod";
import { Failure } from "../../contract/failures.ts";
import { HOST_PATHS } from "../../contract/names.ts";
import { type Part, partBytesOf, partsOf, SINGLE_BYTES } from "../backup/upload.ts";
import { ownFolder, readOwn, removeOwn, writeOwn } from "./files.ts";
import type { Machine } from "./machine.ts";
import { calling, type Place } from "./storage-calls.ts";

/** A file of this host and the object it is to be. */
export interface FileToUpload {
  readonly full: string;
  readonly key: string;
  readonly sha256: string;
  readonly size: number;
}

/** An upload in parts that may have been cut short. */
const Begun = z.object({ key: z.string(), bucket: z.string(), uploadId: z.string(), partBytes: z.int().positive() });
const FOLDER = `${HOST_PATHS.state}/uploads`;
/** Under which an object in parts keeps their size: its checksum is one of their checksums. */
const PART_BYTES = "part-bytes";

/**
 * Puts a file into S3 under its hash, checked on arrival: whole with its SHA-256, or in parts with one each, taken up again where a
 * killed upload ended.
 * @param singleBytes what larger files go in parts. @default 64 MiB
 * @throws Failure `backupInvalid` when the file is not of its hash, `storageFailed`
 */
export async function uploadFile(
  machine: Machine,
  place: Place,
  file: FileToUpload,
  singleBytes: number = SINGLE_BYTES,
): Promise<void> {
  if (file.size > singleBytes) return uploadInParts(machine, place, file);
  const [bytes] = readParts(file, [{ number: 1, from: 0, bytes: file.size }]);
  const checksum = base64(file.sha256);
  if (bytes === undefined || digest(bytes) !== checksum) throw changed(file);
  const { storage, bucket } = place;
  const put = new PutObjectCommand({ Bucket: bucket, Key: file.key, Body: bytes, ChecksumSHA256: checksum });
  const answer = await calling(`s3://${bucket}/${file.key}`, storage.s3.send(put));
  if (answer.ChecksumSHA256 !== checksum) throw arrived(place, file, answer.ChecksumSHA256);
}

/** Whether an object is there with the file's very content. @throws Failure `storageFailed` */
export async function isThere({ storage, bucket }: Place, file: FileToUpload): Promise<boolean> {
  const head = new HeadObjectCommand({ Bucket: bucket, Key: file.key, ChecksumMode: "ENABLED" });
  const found = await calling(`s3://${bucket}/${file.key}`, storage.s3.send(head));
  if (found.ContentLength !== file.size || found.ChecksumSHA256 === undefined) return false;
  if (!found.ChecksumSHA256.includes("-")) return found.ChecksumSHA256 === base64(file.sha256);
  const partBytes = Number(found.Metadata?.[PART_BYTES]);
  return partBytes > 0 && found.ChecksumSHA256 === composite(file, partBytes);
}

async function uploadInParts(machine: Machine, place: Place, file: FileToUpload): Promise<void> {
  const { storage, bucket } = place;
  const at = { Bucket: bucket, Key: file.key };
  const { uploadId, partBytes } = await begin(machine, place, file);
  const there = await listParts(place, file, uploadId);
  if (there === null) {
    // S3 has forgotten it: uploads that nobody ends are removed by the bucket's rule.
    forget(machine, file);
    return uploadInParts(machine, place, file);
  }
  const whole = createHash("sha256");
  const parts = [];
  for (const part of partsOf(file.size, partBytes)) {
    const [bytes] = readParts(file, [part]);
    if (bytes === undefined) throw changed(file);
    whole.update(bytes);
    const ChecksumSHA256 = digest(bytes);
    const known = there.get(part.number);
    const PartNumber = part.number;
    if (known?.checksum === ChecksumSHA256) parts.push({ PartNumber, ETag: known.etag, ChecksumSHA256 });
    else {
      const put = new UploadPartCommand({ ...at, UploadId: uploadId, PartNumber, Body: bytes, ChecksumSHA256 });
      const answer = await calling(`s3://${bucket}/${file.key} part ${PartNumber}`, storage.s3.send(put));
      if (answer.ETag === undefined || answer.ChecksumSHA256 !== ChecksumSHA256)
        throw arrived(place, file, answer.ChecksumSHA256);
      parts.push({ PartNumber, ETag: answer.ETag, ChecksumSHA256 });
    }
  }
  if (whole.digest("hex") !== file.sha256) {
    await storage.s3.send(new AbortMultipartUploadCommand({ ...at, UploadId: uploadId }));
    forget(machine, file);
    throw changed(file);
  }
  const complete = new CompleteMultipartUploadCommand({ ...at, UploadId: uploadId, MultipartUpload: { Parts: parts } });
  await calling(`s3://${bucket}/${file.key}`, storage.s3.send(complete));
  forget(machine, file);
  if (!(await isThere(place, file))) throw arrived(place, file, "of another file");
}

/** The upload that was begun and not ended, else a new one. */
async function begin(machine: Machine, { storage, bucket }: Place, file: FileToUpload) {
  const text = readOwn(machine, recordOf(file));
  const begun = text === null ? null : Begun.safeParse(JSON.parse(text)).data;
  if (begun?.key === file.key && begun.bucket === bucket) return begun;
  const partBytes = partBytesOf(file.size);
  const create = new CreateMultipartUploadCommand({
    Bucket: bucket,
    Key: file.key,
    ChecksumAlgorithm: "SHA256",
    Metadata: { [PART_BYTES]: String(partBytes) },
  });
  const { UploadId: uploadId = "" } = await calling(`s3://${bucket}/${file.key}`, storage.s3.send(create));
  const record = { key: file.key, bucket, uploadId, partBytes };
  ownFolder(machine, HOST_PATHS.state, 0o700);
  ownFolder(machine, FOLDER, 0o700);
  writeOwn(machine, recordOf(file), `${JSON.stringify(record)}\n`, 0o600);
  return record;
}

/** What has arrived of an upload, by number; null when S3 does not know it. */
async function listParts({ storage, bucket }: Place, file: FileToUpload, uploadId: string) {
  const found = new Map<number, { etag: string; checksum: string | undefined }>();
  for (let marker: string | undefined; ; ) {
    const more = marker === undefined ? {} : { PartNumberMarker: marker };
    const asked = new ListPartsCommand({ Bucket: bucket, Key: file.key, UploadId: uploadId, ...more });
    const page = await calling(`s3://${bucket}/${file.key}`, storage.s3.send(asked)).catch((error: Failure) => {
      if ((error.cause as Error | undefined)?.name === "NoSuchUpload") return null;
      throw error;
    });
    if (page === null) return null;
    for (const { PartNumber = 0, ETag = "", ChecksumSHA256 } of page.Parts ?? [])
      found.set(PartNumber, { etag: ETag, checksum: ChecksumSHA256 });
    marker = page.NextPartNumberMarker;
    if (page.IsTruncated !== true || marker === undefined) return found;
  }
}

function composite(file: FileToUpload, partBytes: number): string {
  const parts = partsOf(file.size, partBytes);
  const digests = parts.map((part) => Buffer.from(digest(readParts(file, [part])[0] ?? Buffer.alloc(0)), "base64"));
  return `${digest(Buffer.concat(digests))}-${parts.length}`;
}

/** Each part in full; undefined for one that the file is too short for. */
function readParts({ full }: FileToUpload, parts: readonly Part[]): (Buffer | undefined)[] {
  const fd = openSync(full, constants.O_RDONLY | constants.O_NOFOLLOW);
  try {
    return parts.map(({ from, bytes }) => {
      const buffer = Buffer.alloc(bytes);
      for (let done = 0; done < bytes; ) {
        const got = readSync(fd, buffer, done, bytes - done, from + done);
        if (got === 0) return undefined;
        done += got;
      }
      return buffer;
    });
  } finally {
    closeSync(fd);
  }
}

function forget(machine: Machine, file: FileToUpload): void {
  removeOwn(machine, recordOf(file));
}

function recordOf({ sha256 }: FileToUpload): string {
  return `${FOLDER}/${sha256}.json`;
}

function digest(bytes: Buffer): string {
  return createHash("sha256").update(bytes).digest("base64");
}

function base64(hex: string): string {
  return Buffer.from(hex, "hex").toString("base64");
}

function changed({ full, sha256 }: FileToUpload): Failure {
  return new Failure("backupInvalid", `${full} is not of SHA-256 ${sha256}: it was changed since it was written`);
}

function arrived({ bucket }: Place, { key }: FileToUpload, checksum: string | undefined): Failure {
  return new Failure("storageFailed", `s3://${bucket}/${key}: what arrived has checksum ${checksum ?? "unknown"}`);
}
