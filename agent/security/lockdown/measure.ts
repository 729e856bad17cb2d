import { readdirSync, rmdirSync, rmSync } from "node:fs";
import { dirname } from "node:path";
import { lstatOrNull, onMachine } from "../../host/files.ts";
import type { Machine } from "../../host/machine.ts";
import type { LockdownRecord } from "./record.ts";

/**
 * One thing that a lockdown does. Both directions read the record alone, can be done again after being killed at any point, and answer
 * what could not be done, in sentences; the other measures go on.
 */
export interface Measure {
  readonly name: string;
  engage(machine: Machine, record: LockdownRecord): Promise<string[]>;
  release(machine: Machine, record: LockdownRecord): Promise<string[]>;
}

/** Runs a program for a measure. @returns what it complained of; empty when it ended well */
export async function carriedOut(
  machine: Machine,
  file: string,
  args: readonly string[],
  options: { readonly input?: string; readonly deadlineMs?: number } = {},
): Promise<string[]> {
  try {
    const result = await machine.exec(file, args, { deadlineMs: options.deadlineMs ?? 60_000, ...options });
    if (result.exitCode === 0) return [];
    const why = result.timedOut ? "it did not end in time" : result.stderr.trim().slice(-400);
    return [`${file} ${args.slice(0, 3).join(" ")}: ${why || `exit ${result.exitCode ?? result.signal}`}`];
  } catch (error) {
    return [(error as Error).message];
  }
}

/** Removes a unit's drop-in, and its folder when nothing else is in it. */
export function removeDropIn(machine: Pick<Machine, "root">, path: string): void {
  rmSync(onMachine(machine, path), { force: true });
  const folder = onMachine(machine, dirname(path));
  if (lstatOrNull(folder)?.isDirectory() && readdirSync(folder).length === 0) rmdirSync(folder);
}
