import { createHash } from "node:crypto";
import { readdirSync } from "node:fs";
import * as z from "zod";
import { HOST_PATHS } from "../../contract/names.ts";
import { codeOf, onMachine, ownFolder, readOwn, writeOwn } from "../host/files.ts";
import type { Machine } from "../host/machine.ts";
import { statPath } from "../host/tree.ts";
import { AGENT_VERSION } from "../version.ts";

const Kept = z.object({ format: z.literal(1), key: z.string(), at: z.iso.datetime(), value: z.unknown() });

/** A value that is dear to find out, and when it was. */
export interface KeptValue<T> {
  readonly value: T;
  readonly at: string;
}

/**
 * A value found out earlier, when what it was found out from is the same, or found out now and kept.
 * @param name of its file under the agent's state
 * @param key changes with whatever the value depends on; see `keyOf`
 */
export async function kept<T>(
  machine: Machine,
  name: string,
  options: { readonly schema: z.ZodType<T>; readonly key: string; readonly maximumAgeMs: number },
  find: () => Promise<T>,
): Promise<KeptValue<T>> {
  const path = `${HOST_PATHS.state}/${name}.json`;
  const now = machine.clock.now();
  const before = readKept(machine, path, options.schema);
  const age = before === null ? 0 : now.getTime() - Date.parse(before.at);
  if (before !== null && before.key === options.key && age >= 0 && age <= options.maximumAgeMs)
    return { value: before.value, at: before.at };
  const value = await find();
  const at = now.toISOString();
  ownFolder(machine, HOST_PATHS.state, 0o700);
  writeOwn(machine, path, `${JSON.stringify({ format: 1, key: options.key, at, value })}\n`, 0o600);
  return { value, at };
}

/** What cannot be read, or was written by another version, is as if it were not there. */
function readKept<T>(machine: Machine, path: string, schema: z.ZodType<T>) {
  try {
    const whole = Kept.parse(JSON.parse(readOwn(machine, path) ?? ""));
    return { ...whole, value: schema.parse(whole.value) };
  } catch {
    return null;
  }
}

/** A key for what some paths hold: inode, size and both times of each, which change with every write; and for further words. */
export function keyOf(machine: Pick<Machine, "root">, paths: readonly string[], ...words: readonly string[]): string {
  const hash = createHash("sha256").update(JSON.stringify([AGENT_VERSION, ...words]));
  for (const path of paths) {
    const stat = statPath(machine, path);
    const seen = stat === null ? null : [stat.type, stat.size, stat.mtime, stat.ctime, stat.target];
    hash.update(`${JSON.stringify([path, seen])}\n`);
  }
  return hash.digest("hex");
}

/** A folder's own path and those of what lies in it, in order; of one that is not there, its own alone. */
export function withChildren(machine: Pick<Machine, "root">, folder: string): string[] {
  try {
    const names = readdirSync(onMachine(machine, folder)).sort();
    return [folder, ...names.map((name) => `${folder}/${name}`)];
  } catch (error) {
    if (codeOf(error) === "ENOENT" || codeOf(error) === "ENOTDIR") return [folder];
    throw error;
  }
}
