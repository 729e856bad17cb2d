import * as z from "zod";
import { Difference } from "../../contract/step-report.ts";
import type { Machine } from "../host/machine.ts";
import { BackupId } from "./manifest.ts";
import { restoreBackup } from "./restore.ts";

/** What the agent in a clone is asked: to put a backup back after a change made between two times, in milliseconds since 1970. */
export const WayBackTask = z.strictObject({
  kind: z.literal("wayBack"),
  backupId: BackupId,
  from: z.int(),
  to: z.int(),
});
export type WayBackTask = z.infer<typeof WayBackTask>;

export const DifferenceOfClone = z.strictObject({
  path: z.string().max(5_000),
  what: Difference.shape.what,
  /** The whole of it in words. */
  words: z.string().max(20_000),
});
export type DifferenceOfClone = z.infer<typeof DifferenceOfClone>;
export const DifferencesOfClone = z.strictObject({ differences: z.array(DifferenceOfClone).max(1_000) });

/** Puts a backup back where this process runs, and tells in words what differs. */
export async function wayBackHere(machine: Machine, task: WayBackTask): Promise<z.infer<typeof DifferencesOfClone>> {
  const nanoseconds = (ms: number) => BigInt(ms) * 1_000_000n;
  const { differences } = await restoreBackup(machine, {
    backupId: task.backupId,
    window: { from: nanoseconds(task.from), to: nanoseconds(task.to) },
    timed: (_, work) => work(),
  });
  return {
    differences: differences.slice(0, 1_000).map(({ path, what, before, after }) => ({
      path,
      what,
      words: `${path}: ${what}, was ${before}, is ${after}`,
    })),
  };
}
