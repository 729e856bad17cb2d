import { asFailure } from "../../contract/failures.ts";
import type { Machine } from "../host/machine.ts";
import { backupBytes, backupFolder, backupIds, latestBackup, readManifest } from "./store.ts";

export interface ListedBackup {
  readonly id: string;
  readonly createdAt: string | null;
  readonly runId: string | null;
  readonly paths: number;
  /** Names of packages it can put back. */
  readonly changing: readonly string[];
  /** On disk, in bytes. */
  readonly bytes: number;
  readonly latest: boolean;
  readonly kind: "change" | "complete" | null;
  /** Why its manifest cannot be read; null when it can. */
  readonly problem: string | null;
}

/** All backups of this host, newest last. */
export function listBackups(machine: Pick<Machine, "root">): ListedBackup[] {
  const latest = latestBackup(machine);
  return backupIds(machine).map((id) => {
    const common = { id, bytes: backupBytes(machine, id), latest: latest === backupFolder(id) };
    try {
      const manifest = readManifest(machine, id);
      const { createdAt, runId, changing, kind } = manifest;
      return { ...common, createdAt, runId, changing, kind, paths: manifest.entries.length, problem: null };
    } catch (error) {
      const problem = asFailure(error).message;
      return { ...common, createdAt: null, runId: null, kind: null, changing: [], paths: 0, problem };
    }
  });
}

/** The list as `rollback.sh --list-backups` prints it: the seed's scripts take the second column of the last line. */
export function formatBackupList(backups: readonly ListedBackup[]): string {
  if (backups.length === 0) return "No backups.\n";
  const lines = backups.map((b) => {
    const made = b.createdAt ?? "unreadable";
    const why = b.kind === "complete" ? "complete" : `before a change of ${b.changing.length} packages`;
    const what = b.problem ?? `${b.paths} paths, ${why}, run ${b.runId}`;
    return `${b.latest ? "*" : "-"} ${b.id}  ${made}  ${(b.bytes / 1e6).toFixed(1)} MB  ${what}`;
  });
  return `${lines.join("\n")}\n`;
}
