import * as z from "zod";
import { HOST_PATHS } from "../../contract/names.ts";
import { ownFolder, readOwn, removeOwn, writeOwn } from "../host/files.ts";
import type { Machine } from "../host/machine.ts";

const ISOLATED = `${HOST_PATHS.state}/isolated.json`;
const Names = z.array(z.string());

/** Services that a recovery stopped and none has started again yet: one that was killed, or failed after its restore began, leaves them so. */
export function readIsolated(machine: Pick<Machine, "root">): string[] {
  const text = readOwn(machine, ISOLATED);
  try {
    return text === null ? [] : Names.parse(JSON.parse(text));
  } catch {
    // Damaged with the rest of the host: that must not keep it from being recovered.
    return [];
  }
}

/** On disk before they are stopped; an empty list removes it. */
export function keepIsolated(machine: Machine, names: readonly string[]): void {
  if (names.length === 0) {
    removeOwn(machine, ISOLATED);
    return;
  }
  ownFolder(machine, HOST_PATHS.state, 0o700);
  writeOwn(machine, ISOLATED, `${JSON.stringify(names)}\n`, 0o600);
}
