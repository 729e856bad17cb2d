import { Failure } from "../../contract/failures.ts";
import { fileDigest } from "../host/file-digest.ts";
import { lstatOrNull, onMachine, readOwn } from "../host/files.ts";
import type { Machine } from "../host/machine.ts";
import { archivedMembers, openPacked } from "./archive.ts";
import type { Manifest } from "./manifest.ts";
import { BACKUP_FILES, backupFolder, invalid, readManifest } from "./store.ts";

const SUMMED = [BACKUP_FILES.manifest, BACKUP_FILES.archive, BACKUP_FILES.before];

/**
 * Holds a backup's files against its SHA256SUMS: enough to know that nothing was cut or changed since it was written.
 * @throws Failure `backupInvalid` naming the file
 */
export function checkSums(machine: Pick<Machine, "root">, id: string): Manifest {
  const text = readOwn(machine, `${backupFolder(id)}/${BACKUP_FILES.sums}`);
  if (text === null) throw invalid(id, `${BACKUP_FILES.sums} is not there`);
  const sums = new Map(text.split("\n").map((line) => [line.slice(66), line.slice(0, 64)]));
  for (const file of SUMMED) {
    const full = onMachine(machine, `${backupFolder(id)}/${file}`);
    if (lstatOrNull(full)?.isFile() !== true) throw invalid(id, `${file} is not there`);
    const found = fileDigest(full);
    if (found !== sums.get(file))
      throw invalid(id, `${file} has SHA-256 ${found}, not ${sums.get(file) ?? "any listed"}`);
  }
  return readManifest(machine, id);
}

/**
 * Reads a whole backup: its sums, its manifest, and every file in the archive against the manifest.
 * @throws Failure `backupInvalid` naming the first thing that is wrong
 */
export async function validateBackup(machine: Pick<Machine, "root">, id: string): Promise<Manifest> {
  const manifest = checkSums(machine, id);
  const archive = onMachine(machine, `${backupFolder(id)}/${BACKUP_FILES.archive}`);
  const archived = await archivedMembers(openPacked(archive)).catch((cause: Error) => {
    throw cause instanceof Failure ? cause : invalid(id, `${BACKUP_FILES.archive}: ${cause.message}`, cause);
  });
  for (const entry of manifest.entries) {
    const member = archived.get(entry.path);
    if (member?.type !== entry.type) throw invalid(id, `${entry.path} is not in ${BACKUP_FILES.archive}`);
    if (entry.type === "file" && member.sha256 !== entry.sha256)
      throw invalid(id, `${entry.path} in ${BACKUP_FILES.archive} does not match the manifest`);
  }
  if (archived.size !== manifest.entries.length)
    throw invalid(id, `${BACKUP_FILES.archive} holds ${archived.size} paths, the manifest ${manifest.entries.length}`);
  return manifest;
}
