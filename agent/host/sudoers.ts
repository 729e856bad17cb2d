import { lstatSync, readdirSync, readFileSync } from "node:fs";
import { requireEnded } from "./ended.ts";
import { CommandNotFound } from "./exec.ts";
import { codeOf, lstatOrNull, onMachine } from "./files.ts";
import type { Machine } from "./machine.ts";

/** A file that sudo reads. */
export interface SudoersFile {
  readonly path: string;
  readonly uid: number;
  readonly mode: number;
  readonly text: string;
}

const MAIN = "/etc/sudoers";
const FOLDER = "/etc/sudoers.d";

/** The folder too, with an empty text; an empty list where sudo is not configured. */
export function readSudoers(machine: Pick<Machine, "root">): SudoersFile[] {
  if (lstatOrNull(onMachine(machine, MAIN)) === null) return [];
  // sudo passes over names with a dot or a tilde at their end.
  const included = names(machine, FOLDER).filter((name) => !name.includes(".") && !name.endsWith("~"));
  return [MAIN, FOLDER, ...included.map((name) => `${FOLDER}/${name}`)].flatMap((path) => {
    const full = onMachine(machine, path);
    if (lstatOrNull(full) === null) return [];
    const { uid, mode } = lstatSync(full);
    return [{ path, uid, mode: mode & 0o7777, text: path === FOLDER ? "" : readFileSync(full, "utf8") }];
  });
}

/** What visudo complains of; null when it does not, or is not there to ask. */
export async function sudoersProblem(machine: Machine): Promise<string | null> {
  try {
    const result = requireEnded(await machine.exec("visudo", ["-c", "-q"], { deadlineMs: 10_000 }));
    return result.exitCode === 0 ? null : (result.stderr || result.stdout).trim() || "visudo -c fails";
  } catch (error) {
    if (error instanceof CommandNotFound) return null;
    throw error;
  }
}

function names(machine: Pick<Machine, "root">, folder: string): string[] {
  try {
    return readdirSync(onMachine(machine, folder)).sort();
  } catch (error) {
    if (codeOf(error) === "ENOENT") return [];
    throw error;
  }
}
