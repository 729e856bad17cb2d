import * as z from "zod";
import { RunId } from "../../contract/envelope.ts";

/** Name of a backup: its time in UTC, to the second. */
export const BackupId = z
  .string()
  .regex(/^backup_\d{8}T\d{6}Z$/, "backup_ and a UTC time, such as backup_20260103T020000Z");

const sha256 = z.string().regex(/^[0-9a-f]{64}$/);
const absolute = z.string().startsWith("/");
const nanoseconds = z.string().regex(/^-?\d+$/);

const properties = {
  path: absolute,
  mode: z.int().min(0).max(0o7777),
  uid: z.int().nonnegative(),
  gid: z.int().nonnegative(),
  /** Nanoseconds since 1970. */
  mtime: nanoseconds,
  /** Extended attributes in base64, when there are any. */
  xattrs: z.record(z.string(), z.string()).optional(),
  /** Which of the packs holds it. */
  pack: z.int().nonnegative(),
};

/** A file of packed paths: independent zstd frames of one tar archive, which any zstd and tar read as a whole. */
export const Pack = z.object({
  file: z.string().regex(/^files(-backup_\d{8}T\d{6}Z)?\.tar\.zst$/),
  /** The backup it was made for; every later one that takes from it has a link to the same file. */
  madeFor: BackupId,
  bytes: z.int().nonnegative(),
  sha256,
  /** Bytes of the archive. */
  plainBytes: z.int().nonnegative(),
  /** In order, so that a few paths can be had without reading all: compressed bytes, and the first path; null when it goes on with the one before. */
  frames: z.array(z.object({ bytes: z.int().positive(), first: absolute.nullable() })),
});
export type Pack = z.infer<typeof Pack>;

/** One path as it was. */
export const BackupEntry = z.discriminatedUnion("type", [
  z.object({
    type: z.literal("file"),
    ...properties,
    size: z.int().nonnegative(),
    sha256,
    /** The path of this backup that is the same file under another name. */
    sameAs: absolute.optional(),
  }),
  z.object({ type: z.literal("directory"), ...properties }),
  z.object({ type: z.literal("link"), ...properties, target: z.string() }),
]);
export type BackupEntry = z.infer<typeof BackupEntry>;

/** What dpkg and apt say is installed. */
export const PackageState = z.object({
  /** `name:architecture version status`, as dpkg-query prints them, in order. */
  packages: z.array(z.string()),
  autoMarks: z.array(z.string()),
  holds: z.array(z.string()),
});
export type PackageState = z.infer<typeof PackageState>;

/** manifest.json of a backup. */
export const Manifest = z.object({
  format: z.literal(2),
  id: BackupId,
  /** change: what one change touches, to be undone on this machine. complete: everything in scope, enough to make another machine this one. */
  kind: z.enum(["change", "complete"]).default("change"),
  /** Tells the machine from others without naming it; null where it has no /etc/machine-id. */
  machine: sha256.nullable().default(null),
  runId: RunId,
  /** Of the lock that was about to be installed; null for a backup made for its own sake. */
  lockDigest: sha256.nullable(),
  createdAt: z.iso.datetime(),
  /** When the look at the host began: what changed about then or later is not known by its times alone. */
  scannedAt: z.iso.datetime(),
  packs: z.array(Pack),
  state: PackageState,
  /** SHA-256 of /var/lib/dpkg/status. */
  statusDigest: sha256,
  /** Names of the packages about to change. */
  changing: z.array(z.string()),
  entries: z.array(BackupEntry),
  /** Paths that were about to appear. */
  absent: z.array(absolute),
  /** Folders of the packages' own state under /var/lib. */
  stateFolders: z.array(absolute),
  /** What may change and is not in here, and why. */
  notCovered: z.array(z.object({ path: z.string(), why: z.string() })),
});
export type Manifest = z.infer<typeof Manifest>;

/** What an install left behind, kept beside the backup that undoes it: `installed.json`. */
export const InstalledRecord = z.object({
  format: z.literal(1),
  backupId: BackupId,
  /** SHA-256 of /var/lib/dpkg/status when the install ended. */
  statusDigest: sha256,
  finishedAt: z.iso.datetime(),
});
export type InstalledRecord = z.infer<typeof InstalledRecord>;
