import * as z from "zod";
import { BackupId } from "./manifest.ts";

/** A file of a backup as it lies in S3: its content under its hash, its name here. */
export const BackupFile = z.object({
  /** Relative to the backup's folder. */
  path: z.string().refine(isInside, "a path inside the backup's folder"),
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
  size: z.int().nonnegative(),
  mode: z.int().min(0).max(0o777),
});
export type BackupFile = z.infer<typeof BackupFile>;

/** What the object says that is written last: a backup which has one is whole. */
export const BackupListing = z.object({
  format: z.literal(1),
  id: BackupId,
  /** Of the host that made it. */
  userId: z.string(),
  files: z.array(BackupFile).min(1),
});
export type BackupListing = z.infer<typeof BackupListing>;

/** A file to be sent in one request, or in parts. */
export interface Part {
  /** From 1. */
  readonly number: number;
  readonly from: number;
  readonly bytes: number;
}

/** Larger files go in parts. */
export const SINGLE_BYTES = 64 << 20;
/** S3 takes 10,000 parts of 5 MiB to 5 GiB. */
const MOST_PARTS = 10_000;
const PART_BYTES = 16 << 20;

/** Pure: size of the parts of a file. */
export function partBytesOf(size: number): number {
  return Math.max(PART_BYTES, Math.ceil(size / MOST_PARTS));
}

/** Pure: the parts of a file, in order. */
export function partsOf(size: number, partBytes: number): Part[] {
  return Array.from({ length: Math.ceil(size / partBytes) }, (_, i) => ({
    number: i + 1,
    from: i * partBytes,
    bytes: Math.min(partBytes, size - i * partBytes),
  }));
}

/** Pure: names and hashes of a SHA256SUMS. @throws RangeError for a name that leads out of the folder */
export function summed(text: string): { readonly path: string; readonly sha256: string }[] {
  return text
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => {
      const [, sha256 = "", path = ""] = /^([0-9a-f]{64}) {2}(.+)$/.exec(line) ?? [];
      if (!isInside(path)) throw new RangeError(`${JSON.stringify(line)} is no line of SHA256SUMS`);
      return { path, sha256 };
    });
}

/** Pure: each content once. */
export function contentsOf(files: readonly BackupFile[]): BackupFile[] {
  return [...new Map(files.map((file) => [file.sha256, file])).values()];
}

function isInside(path: string): boolean {
  return path !== "" && !path.startsWith("/") && !path.split("/").some((part) => part === "" || part.startsWith("."));
}
