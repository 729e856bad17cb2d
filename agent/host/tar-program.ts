import { Failure, type FailureCode } from "../../contract/failures.ts";
import type { ExecOptions } from "./exec.ts";
import type { Machine } from "./machine.ts";

/** Everything of a file that tar can keep: nanoseconds, numeric owners, extended attributes, access control lists. */
const WHOLE = ["--numeric-owner", "--xattrs", "--xattrs-include=*", "--acls"];
/** With each path's change time: it tells whether this is still what was looked at before. */
const FORMAT = [
  "--format=posix",
  "--blocking-factor=128",
  "--pax-option=delete=atime",
  "--hard-dereference",
  "--no-recursion",
];
const DEADLINE_MS = 20 * 60_000;

/**
 * Packs exactly these paths, folders without what lies in them. Names go by a NUL-separated list, so any name will do.
 * @param paths absolute
 * @param onBytes takes the uncompressed archive
 * @throws Failure `backupFailed` with tar's words, also when a file changed while it was read
 */
export async function packTar(
  machine: Machine,
  paths: readonly string[],
  onBytes: (chunk: Buffer) => void | Promise<void>,
): Promise<void> {
  const input = paths.map((path) => `${path.slice(1)}\0`).join("");
  const names = ["--directory=/", "--null", "--verbatim-files-from", "--files-from=-"];
  await tar(machine, ["--create", "--file=-", ...FORMAT, ...WHOLE, ...names], "backupFailed", { input, onBytes });
}

/**
 * Unpacks an archive under a folder, with owners, modes, times and attributes.
 * @param archive its uncompressed bytes
 * @throws Failure `rollbackIncomplete`, and what the archive's own reading throws
 */
export async function unpackTar(machine: Machine, archive: AsyncIterable<Uint8Array>, folder: string): Promise<void> {
  const options = ["--extract", "--file=-", "--preserve-permissions", "--same-owner", ...WHOLE];
  await tar(machine, [...options, `--directory=${folder}`], "rollbackIncomplete", { input: archive });
}

async function tar(
  machine: Machine,
  args: readonly string[],
  code: FailureCode,
  streams: Pick<ExecOptions, "input" | "onBytes">,
): Promise<void> {
  const result = await machine.exec("tar", args, { deadlineMs: DEADLINE_MS, ...streams });
  if (result.exitCode === 0) return;
  const why = result.timedOut ? `did not end within ${DEADLINE_MS / 1_000} s` : `exit ${result.exitCode}`;
  throw new Failure(code, `tar: ${why}: ${result.stderr.trim().split("\n").slice(-5).join("; ")}`);
}
