import { readdirSync, statfsSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { codeOf, lstatOrNull, onMachine } from "./files.ts";
import type { Machine } from "./machine.ts";

/** The file system a path lies on. */
export interface FileSystem {
  /** The same for paths of one file system. */
  readonly device: number;
  /** Bytes that the agent may still write. */
  readonly freeBytes: number;
  /** As `df` shows it: used share of what is used or available, 0 to 100. */
  readonly usedPercent: number;
  readonly freeInodes: number;
  /** False for file systems that have no fixed number of inodes. */
  readonly countsInodes: boolean;
}

/** The file system of a path, or of its nearest folder that exists. */
export function fileSystemOf(machine: Pick<Machine, "root">, path: string): FileSystem {
  let there = path;
  while (there !== "/" && lstatOrNull(onMachine(machine, there)) === null) there = dirname(there);
  const full = onMachine(machine, there);
  const fs = statfsSync(full);
  const used = fs.blocks - fs.bfree;
  return {
    device: statSync(full).dev,
    freeBytes: fs.bavail * fs.bsize,
    usedPercent: used + fs.bavail === 0 ? 0 : (100 * used) / (used + fs.bavail),
    freeInodes: fs.ffree,
    countsInodes: fs.files > 0,
  };
}

/** Bytes of a file, or of a folder and everything in it, as `du -b` counts them; links are not followed. What vanishes meanwhile is nothing. */
export function bytesBelow(machine: Pick<Machine, "root">, path: string): number {
  const stat = lstatOrNull(onMachine(machine, path));
  if (stat === null) return 0;
  if (!stat.isDirectory()) return stat.size;
  let names: string[];
  try {
    names = readdirSync(onMachine(machine, path));
  } catch (error) {
    if (codeOf(error) === "ENOENT") return 0;
    throw error;
  }
  return names.reduce((sum, name) => sum + bytesBelow(machine, `${path}/${name}`), stat.size);
}
