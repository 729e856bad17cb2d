import { readdirSync, readFileSync, readlinkSync, statSync } from "node:fs";
import { codeOf, onMachine } from "./files.ts";
import type { Machine } from "./machine.ts";

/** The files apt and dpkg lock, in the order they take them. */
const LOCK_FILES = [
  "/var/lib/dpkg/lock-frontend",
  "/var/lib/dpkg/lock",
  "/var/lib/apt/lists/lock",
  "/var/cache/apt/archives/lock",
] as const;

export interface LockHolder {
  readonly file: string;
  /** 0 when the holder lives in another pid namespace. */
  readonly pid: number;
  /** The holder's command, such as `unattended-upgr`; `unknown` when it cannot be seen. */
  readonly command: string;
}

/** Who holds one of apt's or dpkg's locks right now, from the kernel's table; null when nobody does. */
export function packageLockHolder(machine: Pick<Machine, "root">): LockHolder | null {
  const locks = parseKernelLocks(readFileSync(onMachine(machine, "/proc/locks"), "utf8"));
  for (const file of LOCK_FILES) {
    const full = onMachine(machine, file);
    const inode = inodeOf(full);
    if (inode === null) continue;
    for (const lock of locks.filter((l) => l.inode === inode)) {
      // Inodes repeat across file systems, and an overlay's device in the table is not the one stat tells: the holder's own
      // open files decide wherever they can be read.
      const open = lock.pid > 0 ? openFiles(machine, lock.pid) : null;
      if (open !== null && !open.includes(full)) continue;
      return { file, pid: Math.max(0, lock.pid), command: commandOf(machine, lock.pid) };
    }
  }
  return null;
}

/** Pure: write locks of /proc/locks, waiting ones left out. */
export function parseKernelLocks(text: string): { pid: number; inode: number }[] {
  return text.split("\n").flatMap((line) => {
    const match = /^\d+: (?:POSIX|OFDLCK|FLOCK)\s+\S+\s+WRITE\s+(-?\d+) [0-9a-f]+:[0-9a-f]+:(\d+) /.exec(line);
    return match === null ? [] : [{ pid: Number(match[1]), inode: Number(match[2]) }];
  });
}

function inodeOf(full: string): number | null {
  try {
    return statSync(full).ino;
  } catch (error) {
    if (codeOf(error) === "ENOENT") return null;
    throw error;
  }
}

function openFiles(machine: Pick<Machine, "root">, pid: number): string[] | null {
  const folder = onMachine(machine, `/proc/${pid}/fd`);
  try {
    return readdirSync(folder).flatMap((fd) => {
      try {
        return [readlinkSync(`${folder}/${fd}`)];
      } catch {
        return [];
      }
    });
  } catch {
    return null;
  }
}

function commandOf(machine: Pick<Machine, "root">, pid: number): string {
  try {
    return readFileSync(onMachine(machine, `/proc/${pid}/comm`), "utf8").trim();
  } catch {
    return "unknown";
  }
}
