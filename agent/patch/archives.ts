import { createHash, type Hash } from "node:crypto";
import { createReadStream } from "node:fs";
import { pipeline } from "node:stream/promises";
import { Failure } from "../../contract/failures.ts";
import type { Lock, LockEntry } from "../../contract/lock.ts";
import { HOST_PATHS } from "../../contract/names.ts";
import { lstatOrNull, onMachine } from "../host/files.ts";
import type { Machine } from "../host/machine.ts";

/** SHA-256 of a file's bytes, in hexadecimal. */
export async function fileDigest(full: string): Promise<string> {
  const hash: Hash = createHash("sha256");
  await pipeline(createReadStream(full, { highWaterMark: 1 << 20 }), hash);
  return hash.digest("hex");
}

/**
 * Holds every .deb of a lock against its locked size and SHA-256.
 * @param folder where they lie, as the machine names it
 * @throws Failure `hashMismatch` naming the first file that is missing, no plain file, or of other bytes
 */
export async function verifyArchives(
  machine: Pick<Machine, "root">,
  lock: Lock,
  folder: string = HOST_PATHS.archives,
): Promise<void> {
  for (const entry of lock.entries) {
    const why = await archiveProblem(machine, entry, `${folder}/${entry.file}`);
    if (why !== null) {
      throw new Failure("hashMismatch", `${entry.name} ${entry.version}: ${folder}/${entry.file} ${why}`);
    }
  }
}

/** What is wrong with the file of one locked package, in words; null when it is the very file. */
export async function archiveProblem(
  machine: Pick<Machine, "root">,
  entry: LockEntry,
  path: string,
): Promise<string | null> {
  const full = onMachine(machine, path);
  const stat = lstatOrNull(full);
  if (stat === null) return "is not there";
  if (!stat.isFile()) return "is not a plain file";
  if (stat.size !== entry.size) return `has ${stat.size} bytes, the lock says ${entry.size}`;
  const found = await fileDigest(full);
  return found === entry.sha256 ? null : `has SHA-256 ${found}, the lock says ${entry.sha256}`;
}
