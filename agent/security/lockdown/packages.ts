import { rmSync } from "node:fs";
import { onMachine, writeOwn } from "../../host/files.ts";
import type { Machine } from "../../host/machine.ts";
import { carriedOut, type Measure } from "./measure.ts";

const APT_CONF = "/etc/apt/apt.conf.d/00autopatch-lockdown";
const REFUSE = `// Written by autopatch-manager.sh emergency-lockdown, removed by --release.
DPkg::Pre-Invoke { "echo 'This host is locked down: autopatch-manager.sh emergency-lockdown --release ends it' >&2; false"; };
`;

/** Packages frozen: every installed one on hold, and apt refuses to call dpkg at all. */
export const packages: Measure = {
  name: "packages",

  async engage(machine, record) {
    writeOwn(machine, APT_CONF, REFUSE);
    const lines = Object.entries(record.selections)
      .filter(([, selection]) => selection === "install")
      .map(([name]) => `${name} hold`);
    return await select(machine, lines);
  },

  async release(machine, record) {
    rmSync(onMachine(machine, APT_CONF), { force: true });
    const now = await selections(machine);
    const lines = Object.entries(record.selections)
      .filter(([name, selection]) => now[name] !== undefined && now[name] !== selection)
      .map(([name, selection]) => `${name} ${selection}`);
    return await select(machine, lines);
  },
};

/** dpkg's selection of each package it knows: `install`, `hold`, `deinstall`, … */
export async function selections(machine: Machine): Promise<Record<string, string>> {
  const result = await machine.exec("dpkg", ["--get-selections"], { deadlineMs: 60_000 });
  const rows = result.stdout.split("\n").map((line) => line.split(/\s+/));
  return Object.fromEntries(rows.flatMap(([name, selection]) => (name && selection ? [[name, selection]] : [])));
}

async function select(machine: Machine, lines: readonly string[]): Promise<string[]> {
  if (lines.length === 0) return [];
  return await carriedOut(machine, "dpkg", ["--set-selections"], { input: `${lines.join("\n")}\n` });
}
