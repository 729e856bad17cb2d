import { Failure } from "../../contract/failures.ts";
import type { Machine } from "../host/machine.ts";
import { openClone } from "../host/sandbox/clone.ts";
import { SandboxFailure } from "../host/sandbox/failure.ts";
import { backupBytes } from "./store.ts";
import { validateBackup } from "./validate.ts";

/** What putting a backup back in a clone of the host came to. */
export interface RestoreTested {
  readonly backupId: string;
  /** The clone came back to what the backup says, but for edits under /etc since, which a rollback keeps; the report names them. */
  readonly identical: boolean;
  /** What `rollback.sh --restore-system` said there. */
  readonly report: string;
}

const DEADLINE_MS = 30 * 60_000;
/** Packed files to unpacked ones, twice: they are staged before they are renamed. */
const UNPACKED = 10;

/**
 * Restores a backup by the very program that would do it in earnest, in a clone of the host that cannot touch it, and compares.
 * @throws Failure `backupInvalid`, `cloneImpossible`
 */
export async function restoreTest(machine: Machine, backupId: string): Promise<RestoreTested> {
  await validateBackup(machine, backupId);
  const clone = await openClone(machine, backupBytes(machine, backupId) * UNPACKED).catch((error: unknown) => {
    if (error instanceof SandboxFailure) throw new Failure("cloneImpossible", error.message, { cause: error });
    throw error;
  });
  try {
    const result = await clone.agent(["rollback", "--restore-system", backupId, "--force"], DEADLINE_MS);
    const report = result.exitCode === 0 ? result.stdout : `${result.stdout}${result.stderr}`;
    return { backupId, identical: result.exitCode === 0, report };
  } finally {
    await clone.close();
  }
}
