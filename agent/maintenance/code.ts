import type { Config } from "../host/config.ts";
import type { Machine } from "../host/machine.ts";
import { checkDiskSpace } from "./disk-space.ts";
import { archiveOldLogs } from "./old-logs.ts";
import { removeLeftovers, removeTemporaryFiles } from "./own-files.ts";
import { reportOf } from "./period-report.ts";
import { validateRecentBackups } from "./recent-backups.ts";
import { reviewConfiguration } from "./review.ts";
import type { CodeName } from "./tasks.ts";

export interface TaskContext {
  readonly machine: Machine;
  readonly config: Config;
  /** Calls this agent with these arguments. */
  ask(...args: string[]): Promise<{ text: string; good: boolean }>;
}

/** What a task found: always something to read, and what is wrong, if anything. */
export interface Found {
  readonly text: string;
  readonly problem: string | null;
}

/** The tasks that are no program of their own. */
export const CODE: Readonly<Record<CodeName, (context: TaskContext) => Promise<Found> | Found>> = {
  diskSpace: ({ machine, config }) => checkDiskSpace(machine, config.AUTOPATCH_MINIMUM_FREE_PERCENT),
  recentBackups: ({ machine }) => validateRecentBackups(machine, 3),
  temporaryFiles: ({ machine }) => removeTemporaryFiles(machine),
  historyDatabase: async ({ machine }) => {
    const { compactHistory } = await import("../telemetry/history.ts");
    const removed = compactHistory(machine, 730);
    return { text: `${removed} operations older than two years removed, the rest packed`, problem: null };
  },
  weeklyReport: ({ machine }) => reportOf(machine, 7),
  oldLogs: ({ machine }) => archiveOldLogs(machine),
  ownLeftovers: ({ machine }) => removeLeftovers(machine),
  configurationReview: (context) => reviewConfiguration(context),
  monthlyReport: ({ machine }) => reportOf(machine, 31),
};
