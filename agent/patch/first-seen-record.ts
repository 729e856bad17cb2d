import * as z from "zod";
import { HOST_PATHS } from "../../contract/names.ts";
import { ownFolder, readOwn, writeOwn } from "../host/files.ts";
import type { Machine } from "../host/machine.ts";
import { addSeen, type Bytes, type FirstSeen } from "./first-seen.ts";

const PATH = `${HOST_PATHS.state}/first-seen.json`;
const Times = z.record(z.string(), z.int().nonnegative());

/**
 * Writes down what the package lists offer and was not there before; what is known keeps its time. A record that cannot be
 * read is begun anew, so that everything counts as just seen.
 */
export function recordFirstSeen(machine: Machine, offered: readonly Bytes[]): FirstSeen {
  ownFolder(machine, HOST_PATHS.state, 0o700);
  const before = read(machine);
  const after = addSeen(before, offered, machine.clock.now().getTime());
  const text = `${JSON.stringify(after)}\n`;
  if (text !== `${JSON.stringify(before)}\n`) writeOwn(machine, PATH, text, 0o600);
  return after;
}

function read(machine: Machine): FirstSeen {
  const text = readOwn(machine, PATH);
  if (text === null) return {};
  try {
    return Times.parse(JSON.parse(text));
  } catch {
    machine.log.warn(`${PATH} cannot be read and is begun anew: every pending update counts as just seen`);
    return {};
  }
}
