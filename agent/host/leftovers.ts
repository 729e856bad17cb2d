import { readdirSync, readFileSync } from "node:fs";
import { codeOf, onMachine } from "./files.ts";
import type { Machine } from "./machine.ts";

/** Carried by every process of a change, so that those which outlive it can be found, wherever they went. */
export const TRANSACTION_VARIABLE = "AUTOPATCH_TRANSACTION";

const PATIENCE_MS = 10_000;

/**
 * Ends what is left of a change whose agent died or whose deadline passed: apt, dpkg, maintainer scripts, also those that left the
 * process group. Waits until they are gone: dpkg must not write while files are put back.
 * @returns their pids
 */
export async function endLeftovers(machine: Machine, runId: string): Promise<number[]> {
  const ended = new Set<number>();
  const until = machine.clock.now().getTime() + PATIENCE_MS;
  for (let found = marked(machine, runId); found.length > 0; found = marked(machine, runId)) {
    for (const pid of found) {
      ended.add(pid);
      try {
        process.kill(pid, "SIGKILL");
      } catch (error) {
        if (codeOf(error) !== "ESRCH") throw error;
      }
    }
    if (machine.clock.now().getTime() > until) break;
    await machine.clock.sleep(50);
  }
  return [...ended];
}

function marked(machine: Machine, runId: string): number[] {
  const mark = `${TRANSACTION_VARIABLE}=${runId}`;
  return readdirSync(onMachine(machine, "/proc"))
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .filter((name) => {
      try {
        const environment = readFileSync(onMachine(machine, `/proc/${name}/environ`), "utf8");
        return environment.split("\0").includes(mark);
      } catch {
        // Gone meanwhile, or another user's in a namespace of its own: no process of ours.
        return false;
      }
    })
    .map(Number);
}
