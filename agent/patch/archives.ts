import { Failure } from "../../contract/failures.ts";
import type { Lock, LockEntry } from "../../contract/lock.ts";
import { HOST_PATHS } from "../../contract/names.ts";
import { fileDigest } from "../host/file-digest.ts";
import { lstatOrNull, onMachine } from "../host/files.ts";
import type { Machine } from "../host/machine.ts";

/**
 * Holds every .deb of a lock against its locked size and SHA-256.
 * @param folder where they lie, as the machine names it
 * @throws Failure `hashMismatch` naming the first file that is missing, no plain file, or of other bytes
 */
export function verifyArchives(machine: Pick<Machine, "root">, lock: Lock, folder: string = HOST_PATHS.archives): void {
  for (const entry of lock.entries) {
    const why = archiveProblem(machine, entry, `${folder}/${entry.file}`);
    if (why !== null) {
      throw new Failure("hashMismatch", `${entry.name} ${entry.version}: ${folder}/${entry.file} ${why}`);
    }
  }
}

/** What is wrong with the file of one locked package, in words; null when it is the very file. */
export function archiveProblem(machine: Pick<Machine, "root">, entry: LockEntry, path: string): string | null {
  const full = onMachine(machine, path);
  const stat = lstatOrNull(full);
  if (stat === null) return "is not there";
  if (!stat.isFile()) return "is not a plain file";
  // It is linked, not copied, into the closed world: whoever may write to it could still do so there.
  if (stat.uid !== (process.geteuid?.() ?? 0) || (stat.mode & 0o022) !== 0)
    return `belongs to user ${stat.uid} or is writable by others`;
  if (stat.size !== entry.size) return `has ${stat.size} bytes, the lock says ${entry.size}`;
  const found = fileDigest(full);
  return found === entry.sha256 ? null : `has SHA-256 ${found}, the lock says ${entry.sha256}`;
}
