import * as z from "zod";
import { CveId, distinctCves } from "../../contract/cve.ts";
import { HOST_PATHS } from "../../contract/names.ts";
import type { PlannedPackage } from "../../contract/step-report.ts";
import { backupFolder } from "../backup/store.ts";
import { ownFolder, readOwn, writeOwn } from "../host/files.ts";
import type { Machine } from "../host/machine.ts";

/** What the last lock fixes, from its download until a backup is made for it. */
const RECORD = `${HOST_PATHS.state}/cves.json`;
/** The same beside the backup that undoes the lock. */
const BESIDE_BACKUP = "cves.json";

const FixedByLock = z.object({
  format: z.literal(1),
  lockDigest: z.string(),
  /** Updates only; null where nobody could read what it fixes. */
  packages: z.array(z.object({ name: z.string(), version: z.string(), cves: z.array(CveId).nullable() })),
});
type FixedByLock = z.infer<typeof FixedByLock>;

type Fixing = Pick<PlannedPackage, "name" | "version" | "from" | "cves">;

/** Keeps what a lock fixes, for the backup that will be made before it. */
export function recordCves(machine: Machine, lockDigest: string, packages: readonly Fixing[]): void {
  const record: FixedByLock = {
    format: 1,
    lockDigest,
    packages: packages
      .filter(({ from }) => from !== null)
      .map(({ name, version, cves }) => ({ name, version, cves: cves === null ? null : [...cves] })),
  };
  ownFolder(machine, HOST_PATHS.state, 0o700);
  writeOwn(machine, RECORD, `${JSON.stringify(record)}\n`, 0o600);
}

/** Puts what a lock fixes beside the backup that undoes it, when it is known. */
export function keepCvesWith(machine: Machine, backupId: string, lockDigest: string): void {
  const record = read(machine, RECORD);
  if (record?.lockDigest !== lockDigest) return;
  writeOwn(machine, `${backupFolder(backupId)}/${BESIDE_BACKUP}`, `${JSON.stringify(record)}\n`, 0o600);
}

/** The CVE ids that going back to a backup opens again; null when nobody knows what the change had fixed. */
export function reopenedCves(machine: Machine, backupId: string): string[] | null {
  const record = read(machine, `${backupFolder(backupId)}/${BESIDE_BACKUP}`);
  return record === null ? null : distinctCves(record.packages);
}

function read(machine: Machine, path: string): FixedByLock | null {
  const text = readOwn(machine, path);
  if (text === null) return null;
  try {
    return FixedByLock.parse(JSON.parse(text));
  } catch {
    machine.log.warn(`${path} cannot be read: which CVEs the change fixes is not known`);
    return null;
  }
}
