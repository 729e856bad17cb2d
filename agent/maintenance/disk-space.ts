import { HOST_PATHS } from "../../contract/names.ts";
import { fileSystemOf } from "../host/disk.ts";
import type { Machine } from "../host/machine.ts";
import type { Found } from "./code.ts";

const PATHS = ["/", "/boot", "/usr", "/var", "/var/log", HOST_PATHS.work, HOST_PATHS.backups];

/** Free space of every file system that patching writes to. @param leastFree percent */
export function checkDiskSpace(machine: Pick<Machine, "root">, leastFree: number): Found {
  const byDevice = new Map<number, { paths: string[]; usedPercent: number; freeBytes: number }>();
  for (const path of PATHS) {
    const { device, usedPercent, freeBytes } = fileSystemOf(machine, path);
    const known = byDevice.get(device) ?? { paths: [], usedPercent, freeBytes };
    known.paths.push(path);
    byDevice.set(device, known);
  }
  const all = [...byDevice.values()];
  const full = all.filter((one) => 100 - one.usedPercent < leastFree);
  const text = all
    .map(
      (one) =>
        `${one.usedPercent.toFixed(0)} % used, ${(one.freeBytes / 1e9).toFixed(1)} GB free: ${one.paths.join(" ")}\n`,
    )
    .join("");
  const problem =
    full.length === 0 ? null : `less than ${leastFree} % free: ${full.map((one) => one.paths[0]).join(", ")}`;
  return { text: problem === null ? text : `${text}${problem}\n`, problem };
}
