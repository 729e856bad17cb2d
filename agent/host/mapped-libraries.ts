import { readdirSync, readFileSync, statSync } from "node:fs";
import { onMachine } from "./files.ts";
import type { Machine } from "./machine.ts";

/** A unit whose processes still run code that is no longer on disk. */
export interface OutdatedUnit {
  /** `ssh.service`; `init.scope` is systemd itself. */
  readonly unit: string;
  /** Libraries and programs that were replaced or removed under it, sorted. */
  readonly files: readonly string[];
}

/** What is mapped executable, deleted, and yet no library: made at run time, or never on a disk. */
const NO_LIBRARY = /^\/(memfd:|dev\/|tmp\/|var\/tmp\/|run\/|var\/run\/|SYSV|\[|drm |i915)/;

/**
 * Paths in /proc/PID/maps that were deleted under the process and hold code. Data such as locale archives is left out: nothing gets
 * safer by reading it anew. Pure.
 */
export function deletedCode(maps: string): string[] {
  const found = new Set<string>();
  for (const line of maps.split("\n")) {
    const match = /^\S+ ..x. \S+ \S+ [1-9]\d* +(\/.*) \(deleted\)$/.exec(line);
    const path = match?.[1];
    if (path !== undefined && !NO_LIBRARY.test(path)) found.add(path);
  }
  return [...found].sort();
}

/**
 * The system's unit that /proc/PID/cgroup puts a process in, or null: users' sessions and containers are nobody's to restart. Pure.
 * Version 1 of control groups names it in systemd's own hierarchy, version 2 in the only one.
 */
export function unitOf(cgroup: string): string | null {
  for (const line of cgroup.split("\n")) {
    const path = /^(?:0:|\d+:name=systemd):(\/.*)$/.exec(line)?.[1];
    if (path === undefined || path.startsWith("/user.slice/")) continue;
    const parts = path.split("/");
    const unit =
      parts.find((part) => part.endsWith(".service")) ?? (parts[1] === "init.scope" ? "init.scope" : undefined);
    if (unit !== undefined) return unit;
  }
  return null;
}

/** Every unit of the machine that still runs deleted code, from what the kernel says of all processes. */
export function outdatedUnits(machine: Pick<Machine, "root">): OutdatedUnit[] {
  const units = new Map<string, Set<string>>();
  const root = identity(onMachine(machine, "/"));
  for (const pid of readdirSync(onMachine(machine, "/proc")).filter((name) => /^\d+$/.test(name))) {
    const files = deletedCode(textOf(machine, `/proc/${pid}/maps`));
    if (files.length === 0) continue;
    const unit = unitOf(textOf(machine, `/proc/${pid}/cgroup`));
    // What runs on another root is a container's own affair, whatever unit holds it.
    if (unit === null || identity(onMachine(machine, `/proc/${pid}/root/`)) !== root) continue;
    const known = units.get(unit) ?? new Set();
    for (const file of files) known.add(file);
    units.set(unit, known);
  }
  return [...units]
    .map(([unit, files]) => ({ unit, files: [...files].sort() }))
    .sort((a, b) => (a.unit < b.unit ? -1 : 1));
}

/** The unit this very process belongs to, or null. */
export function ownUnit(machine: Pick<Machine, "root">): string | null {
  return unitOf(textOf(machine, "/proc/self/cgroup"));
}

function identity(full: string): string {
  try {
    const { dev, ino } = statSync(full);
    return `${dev}:${ino}`;
  } catch {
    return "gone";
  }
}

/** Empty for a process that has ended meanwhile. */
function textOf(machine: Pick<Machine, "root">, path: string): string {
  try {
    return readFileSync(onMachine(machine, path), "utf8");
  } catch {
    return "";
  }
}
