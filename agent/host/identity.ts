import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { onMachine } from "./files.ts";
import type { Machine } from "./machine.ts";

/** What the machine runs: from os-release and dpkg. */
export interface Release {
  /** Code name, `bookworm`; where there is none, ID and VERSION_ID. */
  readonly release: string;
  /** As a person reads it: `Debian GNU/Linux 12 (bookworm)`. */
  readonly name: string;
}

/** The kernel's id of this boot. */
export function bootId(machine: Pick<Machine, "root">): string {
  return readFileSync(onMachine(machine, "/proc/sys/kernel/random/boot_id"), "utf8").trim();
}

/** Tells this machine from others; not its machine-id, which is nobody else's business. Null where there is none. */
export function machineDigest(machine: Pick<Machine, "root">): string | null {
  const full = onMachine(machine, "/etc/machine-id");
  const id = existsSync(full) ? readFileSync(full, "utf8").trim() : "";
  return /^[0-9a-f]{32}$/.test(id) ? createHash("sha256").update(`autopatch ${id}`).digest("hex") : null;
}

/** Milliseconds since boot, by the clock that goes on while the machine sleeps and that nobody can set. */
export function uptimeMs(machine: Pick<Machine, "root">): number {
  return Number(readFileSync(onMachine(machine, "/proc/uptime"), "utf8").split(" ")[0]) * 1_000;
}

/** What `uname -r` and the kernel's own word on its package say. */
export interface RunningKernel {
  /** `6.1.0-35-amd64` */
  readonly release: string;
  /** `6.1.137-1`; null when the kernel does not say. */
  readonly packageVersion: string | null;
}

export function runningKernel(machine: Pick<Machine, "root">): RunningKernel {
  const read = (path: string) => readFileSync(onMachine(machine, path), "utf8").trim();
  // Debian puts it into the build's version, `#1 SMP PREEMPT_DYNAMIC Debian 6.1.137-1 (2025-05-07)`.
  const packageVersion = / Debian (\S+)/.exec(read("/proc/sys/kernel/version"))?.[1] ?? null;
  return { release: read("/proc/sys/kernel/osrelease"), packageVersion };
}

export function osRelease(machine: Pick<Machine, "root">): Release {
  const fields = parseOsRelease(readFileSync(onMachine(machine, "/etc/os-release"), "utf8"));
  const fallback = `${fields.get("ID") ?? "linux"}${fields.get("VERSION_ID") ?? ""}`;
  return {
    release: fields.get("VERSION_CODENAME") ?? fallback,
    name: fields.get("PRETTY_NAME") ?? fallback,
  };
}

/** Pure: KEY=VALUE lines with optional quotes, as os-release(5) has them. */
export function parseOsRelease(text: string): Map<string, string> {
  const fields = new Map<string, string>();
  for (const line of text.split("\n")) {
    const match = /^([A-Z0-9_]+)=(["']?)(.*)\2$/.exec(line.trim());
    if (match !== null) fields.set(match[1] as string, match[3] as string);
  }
  return fields;
}

/** A process that can be told from a later one with the same pid. */
export interface ProcessIdentity {
  readonly pid: number;
  /** Clock ticks after boot, field 22 of /proc/PID/stat. */
  readonly startTime: string;
  readonly bootId: string;
}

export function ownProcess(machine: Pick<Machine, "root">): ProcessIdentity {
  return { pid: process.pid, startTime: startTime(machine, process.pid) ?? "0", bootId: bootId(machine) };
}

/** Whether that very process still runs: same boot, same pid, same start time. */
export function isRunning(machine: Pick<Machine, "root">, who: ProcessIdentity): boolean {
  return who.bootId === bootId(machine) && startTime(machine, who.pid) === who.startTime;
}

function startTime(machine: Pick<Machine, "root">, pid: number): string | null {
  try {
    const stat = readFileSync(onMachine(machine, `/proc/${pid}/stat`), "utf8");
    // The command's name in parentheses may hold spaces and parentheses: count from behind the last one.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return fields[0] === "Z" || fields[0] === "X" ? null : (fields[19] ?? null);
  } catch {
    return null;
  }
}
