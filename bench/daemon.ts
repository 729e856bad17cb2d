import { setTimeout as delay } from "node:timers/promises";
import { HOST_PATHS } from "../contract/names.ts";
import type { BenchHost } from "./bench-host.ts";
import type { Row } from "./row.ts";
import type { Stage } from "./stage.ts";

/** What a daemon may hold that only waits. */
const MOST_MEGABYTES = 60;
const ROUND_MS = 120_000;

/** Resident memory of the daemon between two rounds. */
export async function measureDaemon(stage: Stage): Promise<Row[]> {
  const host = await stage.host();
  const ending = new AbortController();
  const { executable } = HOST_PATHS;
  const ended = host.host.exec(executable, ["daemon"], { deadlineMs: 2 * ROUND_MS, signal: ending.signal });
  try {
    const pid = await idle(host, `${executable} daemon`);
    const { stdout } = await host.run("cat", [`/proc/${pid}/status`]);
    const kilobytes = Number(/^VmRSS:\s+(\d+) kB$/m.exec(stdout)?.[1]);
    const what = "daemon between two rounds: resident memory";
    const aim = { of: "ours", at: "most", value: MOST_MEGABYTES } as const;
    return [{ what, unit: "MB", ours: (kilobytes * 1_024) / 1e6, peer: null, aim }];
  } finally {
    ending.abort();
    await ended;
  }
}

/** The daemon's process id, once its first round is over. @throws Error when that does not end */
async function idle(host: BenchHost, command: string): Promise<number> {
  const list = async (args: readonly string[]) =>
    (await host.host.exec("pgrep", args, { deadlineMs: 10_000 })).stdout.trim();
  let hadRound = false;
  for (const end = Date.now() + ROUND_MS; Date.now() < end; await delay(200)) {
    const pid = await list(["-xf", command]);
    const round = pid === "" ? "" : await list(["-P", pid]);
    if (round !== "") hadRound = true;
    else if (hadRound) return Number(pid);
  }
  throw new Error(`${command}: its first round did not end within ${ROUND_MS / 1_000} s`);
}
