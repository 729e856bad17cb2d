import * as z from "zod";
import { fileDigest } from "../host/file-digest.ts";
import { lstatOrNull, onMachine, readOwn } from "../host/files.ts";
import type { Machine } from "../host/machine.ts";
import { BACKUP_FILES, backupFolder, invalid } from "./store.ts";
import { type BackupFile, summed } from "./upload.ts";

/** Kept beside a backup that came from S3. */
export const FetchedRecord = z.object({
  /** `aws:userid` of the host that made it. */
  from: z.string(),
  /** That is this very host. */
  own: z.boolean(),
  at: z.iso.datetime(),
});
export type FetchedRecord = z.infer<typeof FetchedRecord>;

/**
 * What a backup is made of: the files of its SHA256SUMS, and that file. What an install wrote beside it later belongs to this host and
 * moment alone.
 * @throws Failure `backupInvalid`
 */
export function localFiles(machine: Pick<Machine, "root">, id: string): BackupFile[] {
  const text = readOwn(machine, `${backupFolder(id)}/${BACKUP_FILES.sums}`);
  if (text === null) throw invalid(backupFolder(id), `${BACKUP_FILES.sums} is not there`);
  const full = (path: string) => onMachine(machine, `${backupFolder(id)}/${path}`);
  const own = { path: BACKUP_FILES.sums, sha256: fileDigest(full(BACKUP_FILES.sums)) };
  return [...summed(text), own].map(({ path, sha256 }) => {
    const stat = lstatOrNull(full(path));
    if (stat?.isFile() !== true) throw invalid(backupFolder(id), `${path} is not there`);
    return { path, sha256, size: stat.size, mode: stat.mode & 0o777 };
  });
}

/** Where a backup came from; null for one that was made here. */
export function readFetched(machine: Pick<Machine, "root">, id: string): FetchedRecord | null {
  const text = readOwn(machine, `${backupFolder(id)}/${BACKUP_FILES.fetched}`);
  return text === null ? null : FetchedRecord.parse(JSON.parse(text));
}
