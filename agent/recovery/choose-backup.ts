import { asFailure } from "../../contract/failures.ts";
import { backupIds, findBackup } from "../backup/store.ts";
import { validateBackup } from "../backup/validate.ts";
import type { Machine } from "../host/machine.ts";

export interface ChosenBackup {
  /** Null when none is valid. */
  readonly id: string | null;
  /** What was looked at and why it was passed over, newest first. */
  readonly passedOver: readonly string[];
}

/**
 * The newest backup that is valid: every byte of it read against its manifest, not merely the last one.
 * @param named the only one that will do
 * @throws Failure `backupMissing` when the named one is not there
 */
export async function chooseBackup(machine: Machine, named: string | undefined): Promise<ChosenBackup> {
  const ids = named === undefined ? backupIds(machine).reverse() : [findBackup(machine, named)];
  const passedOver: string[] = [];
  for (const id of ids) {
    try {
      await validateBackup(machine, id);
      return { id, passedOver };
    } catch (error) {
      passedOver.push(`${id}: ${asFailure(error).message}`);
    }
  }
  return { id: null, passedOver };
}
