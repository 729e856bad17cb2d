import { readdirSync, readFileSync } from "node:fs";
import { VIOLATION_MARKER } from "../../contract/failures.ts";
import { HOST_PATHS } from "../../contract/names.ts";
import type { HostFigures } from "../../contract/steps.ts";
import { fileSystemOf } from "../host/disk.ts";
import { installedCount } from "../host/dpkg-database.ts";
import { codeOf, onMachine } from "../host/files.ts";
import type { Machine } from "../host/machine.ts";

/** What the host says of itself for the seed's metrics. */
export function hostFigures(machine: Pick<Machine, "root">): HostFigures {
  const percent = fileSystemOf(machine, HOST_PATHS.work).usedPercent;
  return {
    totalPackages: installedCount(machine),
    backupCount: backupNames(machine).length,
    diskUsagePercent: Math.round(percent * 10) / 10,
    securityViolations: violationCount(machine),
  };
}

/** Names of the finished backups, oldest first. */
export function backupNames(machine: Pick<Machine, "root">): string[] {
  return entries(machine, HOST_PATHS.backups)
    .filter((name) => name.startsWith("backup_") && !name.includes(".tmp"))
    .sort();
}

/** Lines with the marker in the agent's logs: the number the seed's exporter greps for. */
export function violationCount(machine: Pick<Machine, "root">): number {
  let count = 0;
  for (const name of entries(machine, HOST_PATHS.logs).filter((n) => n.endsWith(".log"))) {
    const text = readFileSync(onMachine(machine, `${HOST_PATHS.logs}/${name}`), "utf8");
    count += text.split("\n").filter((line) => line.includes(VIOLATION_MARKER)).length;
  }
  return count;
}

function entries(machine: Pick<Machine, "root">, folder: string): string[] {
  try {
    return readdirSync(onMachine(machine, folder));
  } catch (error) {
    if (codeOf(error) === "ENOENT") return [];
    throw error;
  }
}
