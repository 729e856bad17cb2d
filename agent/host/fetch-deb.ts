import { createHash } from "node:crypto";
import { chownSync, closeSync, constants, fstatSync, mkdirSync, openSync, readFileSync, rmSync } from "node:fs";
import { Failure } from "../../contract/failures.ts";
import type { LockEntry } from "../../contract/lock.ts";
import { HOST_PATHS } from "../../contract/names.ts";
import { isPermanent } from "./apt-update.ts";
import { onMachine, ownFolder, writeOwn } from "./files.ts";
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

/**
 * Fetches one locked .deb into the archives, by apt's own downloader (its proxies, certificates and mirrors), and keeps it
 * only when its bytes are the locked ones.
 * @param deadlineMs for all attempts together
 * @throws Failure `downloadFailed`, `hashMismatch`
 */
export async function fetchDeb(machine: Machine, uri: string, entry: LockEntry, deadlineMs: number): Promise<void> {
  const until = machine.clock.now().getTime() + deadlineMs;
  for (let attempt = 1; ; attempt++) {
    const left = until - machine.clock.now().getTime();
    const failure = await tryFetch(machine, uri, entry, Math.max(1_000, left));
    if (failure === null) return;
    const more = failure.transient && attempt < ATTEMPTS && left > PAUSE_MS * attempt;
    if (!more) throw failure.failure;
    machine.log.warn(`${failure.failure.message}; attempt ${attempt} of ${ATTEMPTS}`);
    await machine.clock.sleep(PAUSE_MS * attempt);
  }
}

async function tryFetch(
  machine: Machine,
  uri: string,
  entry: LockEntry,
  deadlineMs: number,
): Promise<{ failure: Failure; transient: boolean } | null> {
  const what = `${entry.name} ${entry.version} from ${uri}`;
  const partial = `${PARTIAL}/${entry.file}`;
  const options = ["Acquire::Retries=0", "Acquire::http::Timeout=30", "Acquire::https::Timeout=30"];
  // The kernel ends a download that outgrows the locked size: endless data fills no disk.
  const result = await machine.exec(
    "prlimit",
    [
      `--fsize=${entry.size}`,
      "/usr/lib/apt/apt-helper",
      ...options.flatMap((o) => ["-o", o]),
      "download-file",
      uri,
      onMachine(machine, partial),
      `SHA256:${entry.sha256}`,
    ],
    { deadlineMs },
  );
  if (result.exitCode === 0 && !result.timedOut) {
    const bytes = readPartial(onMachine(machine, partial), entry.size);
    const found = createHash("sha256").update(bytes).digest("hex");
    if (bytes.length === entry.size && found === entry.sha256) {
      writeOwn(machine, `${HOST_PATHS.archives}/${entry.file}`, bytes);
      rmSync(onMachine(machine, partial), { force: true });
      return null;
    }
    const message = `${what}: ${bytes.length} bytes with SHA-256 ${found}, expected ${entry.size} bytes with ${entry.sha256}`;
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
