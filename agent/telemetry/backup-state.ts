import * as z from "zod";
import { asFailure } from "../../contract/failures.ts";
import { backupFolder, backupIds } from "../backup/store.ts";
import type { Machine } from "../host/machine.ts";
import { kept, keyOf, withChildren } from "./kept.ts";

/** The backups, and whether the newest can be trusted. */
export interface BackupState {
  readonly count: number;
  /** Id of the newest. */
  readonly latest: string | null;
  readonly latestAt: string | null;
  /** Whether its files match their sums; null when there is none. */
  readonly valid: boolean | null;
  /** What is wrong with it. */
  readonly problem: string | null;
}

const Checked = z.object({ createdAt: z.string().nullable(), problem: z.string().nullable() });
const DAY_MS = 86_400_000;

/** Reads the newest backup's files when they changed since they were last read, and once a day, for disks go bad by themselves. */
export async function backupState(machine: Machine): Promise<BackupState> {
  const ids = backupIds(machine);
  const latest = ids.at(-1) ?? null;
  if (latest === null) return { count: 0, latest, latestAt: null, valid: null, problem: null };
  const key = keyOf(machine, withChildren(machine, backupFolder(latest)));
  const { value } = await kept(machine, "backup-checked", { schema: Checked, key, maximumAgeMs: DAY_MS }, async () => {
    const { checkSums } = await import("../backup/validate.ts");
    try {
      return { createdAt: checkSums(machine, latest).createdAt, problem: null };
    } catch (error) {
      return { createdAt: null, problem: asFailure(error).message };
    }
  });
  const { createdAt, problem } = value;
  return { count: ids.length, latest, latestAt: createdAt, valid: problem === null, problem };
}
