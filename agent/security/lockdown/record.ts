import { rmSync } from "node:fs";
import * as z from "zod";
import { Failure } from "../../../contract/failures.ts";
import { HOST_PATHS } from "../../../contract/names.ts";
import { lstatOrNull, onMachine, ownFolder, readOwn, syncFolder, writeOwn } from "../../host/files.ts";
import type { Machine } from "../../host/machine.ts";

export const LOCKDOWN_RECORD = `${HOST_PATHS.state}/lockdown.json`;
/** The same once more: for a person, where the record was damaged or taken away. Never read by itself. */
export const LOCKDOWN_COPY = `${HOST_PATHS.state}/lockdown.copy.json`;

/** What the host was before it was locked down: written before anything is changed, removed when all of it is back. */
const LockdownRecord = z.strictObject({
  format: z.literal(1),
  at: z.iso.datetime(),
  full: z.boolean(),
  sshPorts: z.array(z.int()),
  /** dpkg's selection of each package: `install`, `hold`, … */
  selections: z.record(z.string(), z.string()),
  /** Units that are held back, and whether each was active. Empty unless full. */
  units: z.array(z.strictObject({ name: z.string(), active: z.boolean() })),
  /** Accounts that are locked, with the expiry each had. Empty unless full. */
  accounts: z.array(z.strictObject({ name: z.string(), expires: z.string() })),
  /** Folder of the evidence; null until it is whole. */
  evidence: z.string().nullable(),
});
type Rooted = Pick<Machine, "root">;
export type LockdownRecord = z.infer<typeof LockdownRecord>;

/**
 * @returns null when the host is not locked down
 * @throws Failure `lockedDown` when the record was damaged or taken away: what to put back is for a person to say
 */
export function readLockdown(machine: Rooted): LockdownRecord | null {
  const text = readOwn(machine, LOCKDOWN_RECORD);
  const copy = readOwn(machine, LOCKDOWN_COPY);
  if (text === null && copy === null) return null;
  const record = parse(text);
  if (record !== null) return record;
  const state = text === null ? "is gone" : "cannot be read";
  throw new Failure("lockedDown", `${LOCKDOWN_RECORD} ${state}; the lockdown stays. ${wayOut(parse(copy))}`);
}

/** Whether the host is locked down, be its record readable or not. */
export function isLockedDown(machine: Rooted): boolean {
  return [LOCKDOWN_RECORD, LOCKDOWN_COPY].some((path) => lstatOrNull(onMachine(machine, path)) !== null);
}

export function writeLockdown(machine: Machine, record: LockdownRecord): LockdownRecord {
  ownFolder(machine, HOST_PATHS.state, 0o700);
  for (const path of [LOCKDOWN_RECORD, LOCKDOWN_COPY])
    writeOwn(machine, path, `${JSON.stringify(record, null, 2)}\n`, 0o600);
  return record;
}

/** The copy first: killed in between, what is left is a record that can be released again. */
export function removeLockdown(machine: Machine): void {
  for (const path of [LOCKDOWN_COPY, LOCKDOWN_RECORD]) {
    rmSync(onMachine(machine, path), { force: true });
    syncFolder(onMachine(machine, HOST_PATHS.state));
  }
}

function parse(text: string | null): LockdownRecord | null {
  try {
    return text === null ? null : LockdownRecord.parse(JSON.parse(text));
  } catch {
    return null;
  }
}

/** What a person does without a record. Whoever damaged it may be who came in: so the copy is not simply taken. */
function wayOut(copy: LockdownRecord | null): string {
  if (copy !== null)
    return (
      `Find out why, then see that its copy of ${copy.at} says what this host was, and release by it: ` +
      `cp ${LOCKDOWN_COPY} ${LOCKDOWN_RECORD}; autopatch-manager.sh emergency-lockdown --release`
    );
  return [
    "Its copy cannot be read either. By hand:",
    "systemctl disable autopatch-lockdown.service; nft delete table inet autopatch_lockdown;",
    "rm /etc/apt/apt.conf.d/00autopatch-lockdown; apt-mark unhold each package that was not on hold;",
    "rm /etc/systemd/system/*.d/autopatch-lockdown.conf and start these units;",
    "chage --expiredate -1 each account that `chage -l` shows as expired since 1970;",
    `then rm -f ${LOCKDOWN_RECORD} ${LOCKDOWN_COPY}`,
  ].join(" ");
}

/** @throws Failure `lockedDown`: nothing is installed or taken back on a host that is being investigated */
export function requireNotLockedDown(machine: Rooted): void {
  const record = readLockdown(machine);
  if (record === null) return;
  throw new Failure(
    "lockedDown",
    `this host is locked down since ${record.at}: autopatch-manager.sh emergency-lockdown --release ends it`,
  );
}
