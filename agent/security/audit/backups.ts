import { asFailure } from "../../../contract/failures.ts";
import { type ListedBackup, listBackups } from "../../backup/list.ts";
import { checkSums } from "../../backup/validate.ts";
import { type Checker, count, draft, type Looked, looked } from "./checker.ts";

/** Without --comprehensive only the newest are read: each may be some hundred megabytes. */
const READ = 3;
const DAY_MS = 86_400_000;

/** A backup, and what is wrong with its files. */
export interface BackupSeen extends Pick<ListedBackup, "id" | "createdAt" | "latest"> {
  /** Null when its files match their sums, or were not read. */
  readonly problem: string | null;
}

/** Whether there is a way back, and whether it can be trusted. */
export const backups: Checker = {
  id: "backups",
  title: "Backups: age and checksums",
  run: async ({ machine, comprehensive, retentionDays }) => {
    const listed = listBackups(machine);
    const read = comprehensive ? listed : listed.slice(-READ);
    const seen = listed.map(({ id, createdAt, latest, problem }): BackupSeen => {
      if (problem !== null || !read.some((one) => one.id === id)) return { id, createdAt, latest, problem };
      try {
        checkSums(machine, id);
        return { id, createdAt, latest, problem: null };
      } catch (error) {
        return { id, createdAt, latest, problem: asFailure(error).message };
      }
    });
    return judgeBackups(seen, retentionDays, machine.clock.now());
  },
};

/** Pure. @param seen oldest first */
export function judgeBackups(seen: readonly BackupSeen[], retentionDays: number, now: Date): Looked {
  const newest = seen.at(-1);
  const broken = seen.filter((one) => one.problem !== null);
  const days = newest?.createdAt == null ? 0 : Math.floor((now.getTime() - Date.parse(newest.createdAt)) / DAY_MS);
  return looked(
    draft(
      "noBackup",
      "medium",
      () => "There is no backup: this host has no way back",
      newest === undefined ? ["no backup in /var/tmp/autopatch_backups"] : [],
      "install.sh --backup --force makes one, also when there is nothing to install",
    ),
    draft(
      "backupsInvalid",
      newest?.problem == null ? "medium" : "high",
      (n) => `${count(n, "backup")} cannot be used`,
      broken.map((one) => `${one.id}: ${one.problem}`),
      "install.sh --backup --force makes a new one; then remove the broken folder",
    ),
    draft(
      "backupsStale",
      "low",
      () => `The newest backup is ${days} days old`,
      newest !== undefined && days > retentionDays ? [`${newest.id}, made ${newest.createdAt}`] : [],
      "install.sh --backup --force makes a new one",
    ),
  );
}
