import { createHash } from "node:crypto";
import * as z from "zod";
import { RunId } from "../../contract/envelope.ts";
import { Failure } from "../../contract/failures.ts";
import { formatLock, type Lock, lockDigest, parseLock } from "../../contract/lock.ts";
import { HOST_PATHS } from "../../contract/names.ts";
import { ownFolder, readOwn, writeOwn } from "../host/files.ts";
import type { Machine } from "../host/machine.ts";

/**
 * The lock lies where the seed's scripts look for it, in /var/tmp; what it hashed to when the agent wrote it is kept in the
 * agent's own state, so that an edited or swapped lock is told from the one of this run.
 */
const RECORD = `${HOST_PATHS.state}/lock.json`;

export const LockRecord = z.strictObject({
  runId: RunId,
  lockDigest: z.string(),
  /** SHA-256 of locked_versions.txt. */
  fileSha256: z.string(),
  /** Written by a dry run: nothing was fetched, and nothing may be installed by it. */
  dryRun: z.boolean(),
  /** SHA-256 of the fleet lock it was made from; null for the host's own plan. */
  fleetLock: z.string().nullable().default(null),
  writtenAt: z.iso.datetime(),
});
export type LockRecord = z.infer<typeof LockRecord>;

/**
 * Writes locked_versions.txt, packages_to_install.log and the record of both.
 * @param fleetLock SHA-256 of the fleet lock it was made from
 * @returns the lock's digest
 */
export function writeLock(
  machine: Machine,
  runId: string,
  dryRun: boolean,
  lock: Lock,
  fleetLock: string | null = null,
): string {
  const text = formatLock(lock);
  const digest = lockDigest(lock);
  ownFolder(machine, HOST_PATHS.state, 0o700);
  ownFolder(machine, HOST_PATHS.work);
  const record: LockRecord = {
    runId,
    lockDigest: digest,
    fileSha256: sha256(text),
    dryRun,
    fleetLock,
    writtenAt: machine.clock.now().toISOString(),
  };
  const names = lock.entries.map((e) => `${e.name} ${e.version} ${e.architecture}\n`).join("");
  writeOwn(machine, HOST_PATHS.packagesToInstall, names);
  writeOwn(machine, HOST_PATHS.lock, text);
  writeOwn(machine, RECORD, `${JSON.stringify(record)}\n`, 0o600);
  return digest;
}

/** What is recorded of the last lock; null when there never was one. @throws Failure `lockInvalid`, `pathUnsafe` */
export function readLockRecord(machine: Pick<Machine, "root">): LockRecord | null {
  const text = readOwn(machine, RECORD);
  if (text === null) return null;
  try {
    return LockRecord.parse(JSON.parse(text));
  } catch (cause) {
    throw new Failure("lockInvalid", `${RECORD} cannot be read: download again`, { cause });
  }
}

/**
 * The lock of a run, exactly as it was written for it.
 * @throws Failure `lockMissing` when there is none, or it is another run's or a dry run's; `lockInvalid` when it was changed
 * since; `pathUnsafe`
 */
export function readLock(machine: Pick<Machine, "root">, runId: string, dryRun: boolean): Lock {
  const record = readLockRecord(machine);
  const text = readOwn(machine, HOST_PATHS.lock);
  if (record === null || text === null) {
    throw new Failure("lockMissing", `${HOST_PATHS.lock}: there is no lock on this host`);
  }
  if (record.runId !== runId) {
    throw new Failure("lockMissing", `${HOST_PATHS.lock} was written for run ${record.runId}, not for ${runId}`);
  }
  if (record.dryRun && !dryRun) {
    throw new Failure("lockMissing", `${HOST_PATHS.lock} was written by a dry run: nothing was downloaded`);
  }
  const found = sha256(text);
  if (found !== record.fileSha256) {
    throw new Failure(
      "lockInvalid",
      `${HOST_PATHS.lock} was changed since ${record.writtenAt}: its SHA-256 is ${found}, it was ${record.fileSha256}`,
    );
  }
  try {
    return parseLock(text);
  } catch (cause) {
    throw new Failure("lockInvalid", `${HOST_PATHS.lock}: ${(cause as Error).message}`, { cause });
  }
}

function sha256(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}
