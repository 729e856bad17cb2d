import { lstatSync, readdirSync } from "node:fs";
import { Failure } from "../../contract/failures.ts";
import { codeOf, onMachine, ownFolder } from "../host/files.ts";
import type { Machine } from "../host/machine.ts";

/**
 * Names of the executable files in a folder of the administrator's and the packages' own checks, in order; empty when there is no such
 * folder. A file that is not executable is not one.
 * @throws Failure `pathUnsafe` for one that anybody but root may write: the agent runs them as root
 */
export function ownPrograms(machine: Pick<Machine, "root">, folder: string): string[] {
  let names: string[];
  try {
    names = readdirSync(onMachine(machine, folder)).sort();
  } catch (error) {
    if (codeOf(error) === "ENOENT") return [];
    throw error;
  }
  ownFolder(machine, folder);
  return names.filter((name) => {
    const path = `${folder}/${name}`;
    const stat = lstatSync(onMachine(machine, path));
    if (!stat.isFile() || (stat.mode & 0o111) === 0) return false;
    if (stat.uid !== (process.geteuid?.() ?? 0) || (stat.mode & 0o022) !== 0)
      throw new Failure(
        "pathUnsafe",
        `${path} belongs to user ${stat.uid} or is writable by others; it would run as root`,
      );
    return true;
  });
}
