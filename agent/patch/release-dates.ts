import { readdirSync, readFileSync } from "node:fs";
import { codeOf, onMachine } from "../host/files.ts";
import type { Machine } from "../host/machine.ts";

const LISTS = "/var/lib/apt/lists";

/** The newest Date among the Release files apt just accepted; null when there is none. */
export function newestReleaseDate(machine: Pick<Machine, "root">): Date | null {
  let newest = Number.NEGATIVE_INFINITY;
  for (const name of releaseFiles(machine)) {
    const text = readFileSync(onMachine(machine, `${LISTS}/${name}`), "utf8");
    const time = Date.parse(/^Date: (.+)$/m.exec(text)?.[1] ?? "");
    if (!Number.isNaN(time)) newest = Math.max(newest, time);
  }
  return Number.isFinite(newest) ? new Date(newest) : null;
}

function releaseFiles(machine: Pick<Machine, "root">): string[] {
  try {
    return readdirSync(onMachine(machine, LISTS)).filter((name) => /_(In)?Release$/.test(name));
  } catch (error) {
    if (codeOf(error) === "ENOENT") return [];
    throw error;
  }
}
