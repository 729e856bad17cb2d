import { rmSync, writeFileSync } from "node:fs";
import { Failure, type FailureCode } from "../../contract/failures.ts";
import { onMachine } from "./files.ts";
import type { Machine } from "./machine.ts";

/** Everything of a file that tar can keep: nanoseconds, numeric owners, extended attributes, access control lists. */
const WHOLE = ["--format=posix", "--numeric-owner", "--xattrs", "--xattrs-include=*", "--acls"];
const TIMES = "--pax-option=delete=atime,delete=ctime";
const DEADLINE_MS = 20 * 60_000;

/**
 * Packs exactly these paths, folders without what lies in them. Names go by a NUL-separated list, so any name will do.
 * @param paths absolute
 * @param archive path of the uncompressed archive, as the machine names it
 * @throws Failure `backupFailed` with tar's words, also when a file changed while it was read
 */
export async function packTar(machine: Machine, paths: readonly string[], archive: string): Promise<void> {
  const list = `${archive}.list`;
  writeFileSync(onMachine(machine, list), paths.map((path) => `${path.slice(1)}\0`).join(""), { mode: 0o600 });
  try {
    const names = ["--directory=/", "--null", "--verbatim-files-from", `--files-from=${list}`];
    const options = ["--create", `--file=${archive}`, ...WHOLE, TIMES, "--hard-dereference", "--no-recursion"];
    await tar(machine, [...options, ...names], "backupFailed");
  } finally {
    rmSync(onMachine(machine, list), { force: true });
  }
}

/** Unpacks a whole archive under a folder, with owners, modes, times and attributes. @throws Failure `rollbackIncomplete` */
export async function unpackTar(machine: Machine, archive: string, folder: string): Promise<void> {
  const options = ["--extract", `--file=${archive}`, "--preserve-permissions", "--same-owner"];
  await tar(machine, [...options, ...WHOLE.slice(1), `--directory=${folder}`], "rollbackIncomplete");
}

async function tar(machine: Machine, args: readonly string[], code: FailureCode): Promise<void> {
  const result = await machine.exec("tar", args, { deadlineMs: DEADLINE_MS });
  if (result.exitCode === 0) return;
  const why = result.timedOut ? `did not end within ${DEADLINE_MS / 1_000} s` : `exit ${result.exitCode}`;
  throw new Failure(code, `tar: ${why}: ${result.stderr.trim().split("\n").slice(-5).join("; ")}`);
}
