import { fileDigest } from "../host/file-digest.ts";
import { lstatOrNull, onMachine, readOwn } from "../host/files.ts";
import type { Machine } from "../host/machine.ts";
import { checkedDebs } from "./keep-debs.ts";
import type { Manifest } from "./manifest.ts";
import { type Archived, HashingReader } from "./pack.ts";
import { frameBytes } from "./pack-reader.ts";
import { BACKUP_FILES, backupFolder, invalid, readManifest } from "./store.ts";

/**
 * Holds a backup's files against its SHA256SUMS: enough to know that nothing was cut or changed since it was written.
 * @throws Failure `backupInvalid` naming the file
 */
export function checkSums(machine: Pick<Machine, "root">, id: string, folder = backupFolder(id)): Manifest {
  const sums = readSums(machine, folder);
  requireSum(machine, folder, BACKUP_FILES.manifest, sums);
  const manifest = readManifest(machine, id, folder);
  for (const { file } of manifest.packs) requireSum(machine, folder, file, sums);
  requireSum(machine, folder, BACKUP_FILES.before, sums);
  return manifest;
}

function readSums(machine: Pick<Machine, "root">, folder: string): ReadonlyMap<string, string> {
  const text = readOwn(machine, `${folder}/${BACKUP_FILES.sums}`);
  if (text === null) throw invalid(folder, `${BACKUP_FILES.sums} is not there`);
  return new Map(text.split("\n").map((line) => [line.slice(66), line.slice(0, 64)]));
}

function requireSum(
  machine: Pick<Machine, "root">,
  folder: string,
  file: string,
  sums: ReadonlyMap<string, string>,
): void {
  const full = onMachine(machine, `${folder}/${file}`);
  if (lstatOrNull(full)?.isFile() !== true) throw invalid(folder, `${file} is not there`);
  const found = fileDigest(full);
  if (found !== sums.get(file))
    throw invalid(folder, `${file} has SHA-256 ${found}, not ${sums.get(file) ?? "any listed"}`);
}

/** The manifest of a backup whose other files may be damaged. @throws Failure `backupInvalid` */
export function checkManifest(machine: Pick<Machine, "root">, id: string): Manifest {
  const sums = readOwn(machine, `${backupFolder(id)}/${BACKUP_FILES.sums}`) ?? "";
  const full = onMachine(machine, `${backupFolder(id)}/${BACKUP_FILES.manifest}`);
  if (lstatOrNull(full)?.isFile() !== true) throw invalid(backupFolder(id), `${BACKUP_FILES.manifest} is not there`);
  if (!sums.includes(`${fileDigest(full)}  ${BACKUP_FILES.manifest}\n`))
    throw invalid(backupFolder(id), `${BACKUP_FILES.manifest} is not as it was written: there is no other way back`);
  return readManifest(machine, id);
}

/**
 * Reads a whole backup: its sums, its manifest, and every file in the packs against the manifest.
 * @param folder where it lies, when that is not where this host keeps its own
 * @throws Failure `backupInvalid` naming the first thing that is wrong
 */
export async function validateBackup(
  machine: Pick<Machine, "root">,
  id: string,
  folder = backupFolder(id),
): Promise<Manifest> {
  const manifest = checkSums(machine, id, folder);
  checkedDebs(machine, folder);
  const packed: Map<string, Archived>[] = [];
  for (const pack of manifest.packs) {
    const full = onMachine(machine, `${folder}/${pack.file}`);
    const found = new Map<string, Archived>();
    const reader = new HashingReader({ end: (archived) => found.set(archived.path, archived) });
    for await (const bytes of frameBytes(full, pack)) reader.push(bytes);
    reader.close();
    packed.push(found);
  }
  for (const entry of manifest.entries) {
    const file = manifest.packs[entry.pack]?.file ?? `pack ${entry.pack}`;
    const member = packed[entry.pack]?.get(entry.path);
    if (member?.type !== entry.type) throw invalid(folder, `${entry.path} is not in ${file}`);
    if (entry.type === "file" && member.sha256 !== entry.sha256)
      throw invalid(folder, `${entry.path} in ${file} does not match the manifest`);
  }
  for (const [i, pack] of manifest.packs.entries()) {
    // Earlier packs may hold more than this backup takes from them.
    const named = manifest.entries.filter((entry) => entry.pack === i).length;
    if (pack.madeFor === id && packed[i]?.size !== named)
      throw invalid(folder, `${pack.file} holds ${packed[i]?.size} paths, the manifest names ${named}`);
  }
  return manifest;
}
