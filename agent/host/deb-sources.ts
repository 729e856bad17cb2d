import { constants, copyFileSync, mkdirSync, readdirSync, renameSync, rmSync } from "node:fs";
import { Failure } from "../../contract/failures.ts";
import { HOST_PATHS } from "../../contract/names.ts";
import { PLANNING } from "./apt.ts";
import { parseUris } from "./apt-output.ts";
import { requireEnded } from "./ended.ts";
import { CommandNotFound } from "./exec.ts";
import { lstatOrNull, onMachine, ownFolder } from "./files.ts";
import type { Machine } from "./machine.ts";

/** Where a .deb of an installed version may still lie on the host: apt's cache, and what the last run fetched. */
export const DEB_CACHES = ["/var/cache/apt/archives", HOST_PATHS.archives] as const;

const REPACK_DEADLINE_MS = 120_000;

/**
 * Copies a file of a cache, so that whoever changes the cache does not change the copy.
 * @returns false when there is none, or it is no plain file
 */
export function copyDeb(machine: Pick<Machine, "root">, from: string, to: string): boolean {
  if (lstatOrNull(onMachine(machine, from))?.isFile() !== true) return false;
  const beside = onMachine(machine, `${to}.tmp`);
  rmSync(beside, { force: true });
  copyFileSync(onMachine(machine, from), beside, constants.COPYFILE_FICLONE | constants.COPYFILE_EXCL);
  renameSync(beside, onMachine(machine, to));
  return true;
}

/**
 * Where apt would fetch these very versions from; by file name.
 * @param versions `name:architecture=version`, each in the lists as they are: apt refuses all for one that is not
 */
export async function debUris(machine: Machine, versions: readonly string[]): Promise<Map<string, string>> {
  const cwd = ownFolder(machine, `${HOST_PATHS.state}/empty`, 0o700);
  const args = [...PLANNING, "--print-uris", "-o", "Acquire::ForceHash=SHA256", "download", ...versions];
  const result = await machine.exec("apt-get", args, { deadlineMs: 60_000, cwd });
  if (requireEnded(result).exitCode !== 0) throw new Failure("downloadFailed", `apt-get: ${result.stderr.trim()}`);
  return new Map(parseUris(result.stdout).map(({ file, uri }) => [file, uri]));
}

/**
 * Makes a .deb again from what is installed, by dpkg-repack.
 * @param to path of the .deb
 * @returns null when it is there now, else why not
 */
export async function repackDeb(machine: Machine, named: string, to: string): Promise<string | null> {
  const folder = `${HOST_PATHS.state}/repack`;
  const full = onMachine(machine, folder);
  rmSync(full, { recursive: true, force: true });
  mkdirSync(full, { mode: 0o700 });
  try {
    const result = await machine.exec("dpkg-repack", [named], { deadlineMs: REPACK_DEADLINE_MS, cwd: full });
    const [made] = readdirSync(full).filter((name) => name.endsWith(".deb"));
    if (result.exitCode !== 0 || made === undefined) return `dpkg-repack: ${result.stderr.trim().slice(-300)}`;
    copyDeb(machine, `${folder}/${made}`, to);
    return null;
  } catch (error) {
    if (error instanceof CommandNotFound) return "dpkg-repack is not installed";
    throw error;
  } finally {
    rmSync(full, { recursive: true, force: true });
  }
}

/** What a file says it is, as `name architecture version`; null when it is no Debian package. */
export async function debIdentity(machine: Machine, deb: string): Promise<string | null> {
  const format = "${Package} ${Architecture} ${Version}";
  const result = await machine.exec("dpkg-deb", ["-W", `--showformat=${format}`, deb], { deadlineMs: 60_000 });
  return requireEnded(result).exitCode === 0 ? result.stdout.trim() : null;
}
