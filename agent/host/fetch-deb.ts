import { createHash } from "node:crypto";
import { chownSync, closeSync, constants, fstatSync, mkdirSync, openSync, readFileSync, rmSync } from "node:fs";
import { Failure } from "../../contract/failures.ts";
import type { LockEntry } from "../../contract/lock.ts";
import { HOST_PATHS } from "../../contract/names.ts";
import { isPermanent } from "./apt-update.ts";
import type { ExecResult } from "./exec.ts";
import { lstatOrNull, onMachine, ownFolder, writeOwn } from "./files.ts";
import type { Machine } from "./machine.ts";

/** Where apt's unprivileged downloader writes: what comes out of it is looked at again before it counts. */
const PARTIAL = `${HOST_PATHS.work}/partial`;
const ATTEMPTS = 3;
const PAUSE_MS = 2_000;

/** Makes the folder in which apt's downloader, running as its own user, may write; empty. */
export function openPartial(machine: Machine): void {
  ownFolder(machine, HOST_PATHS.work);
  const full = onMachine(machine, PARTIAL);
  rmSync(full, { recursive: true, force: true });
  mkdirSync(full, { mode: 0o700 });
  const user = downloaderUser(machine);
  if (user !== null) chownSync(full, user, 0);
}

export function closePartial(machine: Machine): void {
  rmSync(onMachine(machine, PARTIAL), { recursive: true, force: true });
}

/** A locked file and where it is to be had. */
export interface Wanted {
  readonly uri: string;
  readonly entry: LockEntry;
}

/**
 * Fetches several locked .debs with one call of apt's downloader: one name look-up and one connection for all of them. What
 * did not come, or not as locked, is left to `fetchDeb`, which tries again and says why.
 * @param deadlineMs for all of them together
 * @param folder where they are kept
 * @returns those that are there now
 */
export async function fetchTogether(
  machine: Machine,
  wanted: readonly Wanted[],
  deadlineMs: number,
  folder: string = HOST_PATHS.archives,
): Promise<readonly Wanted[]> {
  const largest = Math.max(...wanted.map(({ entry }) => entry.size));
  await download(machine, wanted, largest, deadlineMs);
  return wanted.filter(({ entry }) => keep(machine, entry, folder) === null);
}

/**
 * Fetches one locked .deb, by apt's own downloader (its proxies, certificates and mirrors), and keeps it only when its bytes
 * are the locked ones.
 * @param deadlineMs for all attempts together
 * @param folder where it is kept
 * @throws Failure `downloadFailed`, `hashMismatch`
 */
export async function fetchDeb(
  machine: Machine,
  uri: string,
  entry: LockEntry,
  deadlineMs: number,
  folder: string = HOST_PATHS.archives,
): Promise<void> {
  const until = machine.clock.now().getTime() + deadlineMs;
  for (let attempt = 1; ; attempt++) {
    const left = until - machine.clock.now().getTime();
    const failure = await tryFetch(machine, { uri, entry }, Math.max(1_000, left), folder);
    if (failure === null) return;
    const more = failure.transient && attempt < ATTEMPTS && left > PAUSE_MS * attempt;
    if (!more) throw failure.failure;
    machine.log.warn(`${failure.failure.message}; attempt ${attempt} of ${ATTEMPTS}`);
    await machine.clock.sleep(PAUSE_MS * attempt);
  }
}

async function tryFetch(
  machine: Machine,
  { uri, entry }: Wanted,
  deadlineMs: number,
  folder: string,
): Promise<{ failure: Failure; transient: boolean } | null> {
  const what = `${entry.name} ${entry.version} from ${uri}`;
  const partial = `${PARTIAL}/${entry.file}`;
  const result = await download(machine, [{ uri, entry }], entry.size, deadlineMs);
  if (result.exitCode === 0 && !result.timedOut) {
    const found = keep(machine, entry, folder);
    if (found === null) return null;
    const message = `${what}: ${found}, expected ${entry.size} bytes with ${entry.sha256}`;
    return { failure: new Failure("hashMismatch", message), transient: false };
  }
  rmSync(onMachine(machine, partial), { force: true });
  if (result.timedOut) {
    const message = `${what}: not done within ${Math.round(deadlineMs / 1000)} s`;
    return { failure: new Failure("downloadFailed", message), transient: false };
  }
  const said = result.stderr
    .split("\n")
    .filter((line) => /^E:/.test(line))
    .join(" ");
  if (/received signal 25\b/.test(result.stderr)) {
    // SIGXFSZ, from the limit above.
    const message = `${what}: the server sent more than the ${entry.size} bytes its index promised`;
    return { failure: new Failure("hashMismatch", message), transient: false };
  }
  if (/Hash Sum mismatch|unexpected size/.test(result.stderr)) {
    return { failure: new Failure("hashMismatch", `${what}: ${said}`), transient: false };
  }
  const words = said || result.stderr.trim().slice(-300) || `ended by ${result.signal ?? `exit ${result.exitCode}`}`;
  const permanent = isPermanent(words);
  const message = `${what}: ${words} (${permanent ? "permanent" : "transient"})`;
  return { failure: new Failure("downloadFailed", message), transient: !permanent };
}

/** Runs apt's downloader. The kernel ends one that outgrows `largest`, in bytes: endless data fills no disk. */
function download(
  machine: Machine,
  wanted: readonly Wanted[],
  largest: number,
  deadlineMs: number,
): Promise<ExecResult> {
  const options = ["Acquire::Retries=0", "Acquire::http::Timeout=30", "Acquire::https::Timeout=30"];
  const files = wanted.flatMap(({ uri, entry }) => [
    uri,
    onMachine(machine, `${PARTIAL}/${entry.file}`),
    `SHA256:${entry.sha256}`,
  ]);
  const helper = ["/usr/lib/apt/apt-helper", ...options.flatMap((o) => ["-o", o]), "download-file", ...files];
  return machine.exec("prlimit", [`--fsize=${largest}`, ...helper], { deadlineMs });
}

/** Takes a downloaded file into a folder of ours if its bytes are the locked ones; else says what they are. */
function keep(machine: Machine, entry: LockEntry, folder: string): string | null {
  const full = onMachine(machine, `${PARTIAL}/${entry.file}`);
  if (lstatOrNull(full) === null) return "nothing came";
  const bytes = readPartial(full, entry.size);
  const found = createHash("sha256").update(bytes).digest("hex");
  rmSync(full, { force: true });
  if (bytes.length !== entry.size || found !== entry.sha256) return `${bytes.length} bytes with SHA-256 ${found}`;
  writeOwn(machine, `${folder}/${entry.file}`, bytes);
  return null;
}

/** The downloader's user owns the folder: what lies there is read once, as a plain file, and only as far as it may be long. */
function readPartial(full: string, size: number): Buffer {
  const fd = openSync(full, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    const stat = fstatSync(fd);
    return stat.isFile() && stat.size <= size ? readFileSync(fd) : Buffer.alloc(0);
  } finally {
    closeSync(fd);
  }
}

function downloaderUser(machine: Pick<Machine, "root">): number | null {
  const passwd = readFileSync(onMachine(machine, "/etc/passwd"), "utf8");
  const uid = /^_apt:[^:]*:(\d+):/m.exec(passwd)?.[1];
  return uid === undefined ? null : Number(uid);
}
