import { randomBytes } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** What the kernel holds a confined sandbox to, hard. */
export interface CgroupBounds {
  /** Bytes of memory, what its processes write on a tmpfs included. */
  readonly memoryBytes: number;
  readonly processes: number;
}

export interface Cgroup {
  /** A process that writes 0 into `cgroup.procs` of each is held, with all it starts. */
  readonly folders: readonly string[];
  /** Whether the kernel ended a process for want of memory. */
  memoryExceeded(): boolean;
  /** Removes it once its processes are gone; what is left is removed by the next. */
  remove(): void;
}

const ROOT = "/sys/fs/cgroup";
const PREFIX = "autopatch-clone-";

/**
 * Makes a control group for one sandbox: one of version 2, or where the machine has them of version 1 for memory and for processes.
 * @param root where control groups are mounted
 * @returns null where none can be made, as in most containers: the sandbox's own watch then stands alone
 */
export function openCgroup(bounds: CgroupBounds, root: string = ROOT): Cgroup | null {
  const name = `${PREFIX}${process.pid}-${randomBytes(4).toString("hex")}`;
  const wanted = existsSync(join(root, "cgroup.controllers")) ? unified(root, bounds) : split(root, bounds);
  const made: string[] = [];
  try {
    for (const { parent, files } of wanted) {
      sweep(parent);
      const folder = join(parent, name);
      mkdirSync(folder);
      made.push(folder);
      for (const [file, value] of files) writeFileSync(join(folder, file), value);
    }
  } catch {
    // Read-only, not delegated, or without these controllers: whichever, there is none to be had.
    removeAll(made);
    return null;
  }
  return {
    folders: made,
    memoryExceeded: () => made.some((folder) => oomKills(folder) > 0),
    remove: () => removeAll(made),
  };
}

interface Wanted {
  readonly parent: string;
  readonly files: readonly (readonly [file: string, value: string])[];
}

function unified(root: string, bounds: CgroupBounds): Wanted[] {
  const enabled = readFileSync(join(root, "cgroup.subtree_control"), "utf8").trim().split(" ");
  const files = [
    ["memory.max", String(bounds.memoryBytes)],
    ["pids.max", String(bounds.processes)],
  ] as const;
  // systemd enables both for its slices; where it does not, the files are missing and there is no group.
  const both = ["memory", "pids"].every((controller) => enabled.includes(controller));
  return both ? [{ parent: root, files }] : split(root, bounds);
}

function split(root: string, bounds: CgroupBounds): Wanted[] {
  return [
    { parent: join(root, "memory"), files: [["memory.limit_in_bytes", String(bounds.memoryBytes)]] },
    { parent: join(root, "pids"), files: [["pids.max", String(bounds.processes)]] },
  ];
}

function oomKills(folder: string): number {
  for (const file of ["memory.events", "memory.oom_control"]) {
    try {
      const count = /^oom_kill (\d+)$/m.exec(readFileSync(join(folder, file), "utf8"))?.[1];
      if (count !== undefined) return Number(count);
    } catch {
      // The other version's file, or the group of processes alone.
    }
  }
  return 0;
}

/** Removes what agents left that are gone. */
function sweep(parent: string): void {
  for (const name of readdirSync(parent)) {
    const pid = new RegExp(`^${PREFIX}(\\d+)-`).exec(name)?.[1];
    if (pid !== undefined && !existsSync(`/proc/${pid}`)) removeAll([join(parent, name)]);
  }
}

function removeAll(folders: readonly string[]): void {
  for (const folder of folders) {
    try {
      rmdirSync(folder);
    } catch {
      // A process that is still being reaped is in it.
    }
  }
}
