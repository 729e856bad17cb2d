import * as z from "zod";
import { HOST_PATHS } from "../../contract/names.ts";
import { ownFolder, readOwn, writeOwn } from "../host/files.ts";
import type { Machine } from "../host/machine.ts";
import { addSeen, type Bytes, type FirstSeen } from "./first-seen.ts";

export const FIRST_SEEN_PATH = `${HOST_PATHS.state}/first-seen.json`;
const Times = z.record(z.string(), z.int().nonnegative());

/**
 * Writes down what the package lists offer and was not there before; what is known keeps its time. A record that cannot be
 * read is begun anew, so that everything counts as just seen.
 */
export function recordFirstSeen(machine: Machine, offered: readonly Bytes[]): FirstSeen {
  ownFolder(machine, HOST_PATHS.state, 0o700);
  const before = readFirstSeen(machine);
  const after = addSeen(before, offered, machine.clock.now().getTime());
  const text = `${JSON.stringify(after)}\n`;
  if (text !== `${JSON.stringify(before)}\n`) writeOwn(machine, FIRST_SEEN_PATH, text, 0o600);
  return after;
}

/** SHA-256 of a version's .deb as the package lists had it when this host first saw it. */
export function seenBytes(machine: Machine, one: Omit<Bytes, "sha256">): string[] {
  const prefix = `${one.name} ${one.architecture} ${one.version} `;
  const keys = Object.keys(readFirstSeen(machine)).filter((key) => key.startsWith(prefix));
  return keys.map((key) => key.slice(prefix.length)).filter((hash) => /^[0-9a-f]{64}$/.test(hash));
}

/** What this host saw so far; nothing when that cannot be read. */
export function readFirstSeen(machine: Machine): FirstSeen {
  const text = readOwn(machine, FIRST_SEEN_PATH);
  if (text === null) return {};
  try {
    return Times.parse(JSON.parse(text));
  } catch {
    machine.log.warn(`${FIRST_SEEN_PATH} cannot be read and is begun anew: every pending update counts as just seen`);
    return {};
  }
}
