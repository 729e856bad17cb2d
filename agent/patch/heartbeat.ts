import { closeSync, openSync, statSync, utimesSync } from "node:fs";
import { HOST_PATHS } from "../../contract/names.ts";
import { codeOf, onMachine } from "../host/files.ts";
import type { Machine } from "../host/machine.ts";

const FILE = `${HOST_PATHS.state}/applying.heartbeat`;
const BEAT_MS = 1_000;

/**
 * Shows on disk that a change is going on, every second. After a power loss this tells when it ended: what appeared later is not
 * the change's, and must survive its undoing.
 * @returns ends it
 */
export function startHeartbeat(machine: Pick<Machine, "root">): () => void {
  const full = onMachine(machine, FILE);
  closeSync(openSync(full, "w", 0o600));
  const timer = setInterval(() => {
    const now = new Date();
    utimesSync(full, now, now);
  }, BEAT_MS);
  timer.unref();
  return () => clearInterval(timer);
}

/** When the last change was last seen going on, with one beat to spare; null when there is no sign of one. */
export function lastHeartbeat(machine: Pick<Machine, "root">): Date | null {
  try {
    return new Date(statSync(onMachine(machine, FILE)).mtimeMs + 2 * BEAT_MS);
  } catch (error) {
    if (codeOf(error) === "ENOENT") return null;
    throw error;
  }
}
