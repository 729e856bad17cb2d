import { realpathSync } from "node:fs";
import { EXIT } from "../../contract/failures.ts";
import type { Config } from "../host/config.ts";
import type { Machine } from "../host/machine.ts";

export const PERIOD_MS = 5 * 60_000;
const MINUTE_MS = 60_000;
/** More than all chores of a round together may take: each has a deadline of its own. */
const ROUND_MS = 80 * MINUTE_MS;

/** One thing that is done every five minutes: a call of this agent, so that one that fails or hangs does not keep the others. */
export interface Chore {
  readonly name: string;
  readonly args: readonly string[];
  readonly deadlineMs: number;
}

/** What is to be done each time. Pure. */
export function choresOf(config: Pick<Config, "AUTOPATCH_BUCKET" | "AUTOPATCH_CLOUDWATCH">): Chore[] {
  return [
    { name: "health", args: ["daemon", "--health"], deadlineMs: 3 * MINUTE_MS },
    { name: "exporter", args: ["exporter"], deadlineMs: 2 * MINUTE_MS },
    ...(config.AUTOPATCH_CLOUDWATCH === "off"
      ? []
      : [{ name: "metrics", args: ["manager", "publish-metrics"], deadlineMs: MINUTE_MS }]),
    ...(config.AUTOPATCH_BUCKET === undefined
      ? []
      : [{ name: "upload", args: ["rollback", "--upload-backups"], deadlineMs: 60 * MINUTE_MS }]),
  ];
}

/**
 * Does each chore once, one after the other. What fails is logged and does not stop the others; a host that is not well is told of by the
 * look at its health alone, and only when that is new.
 * @returns names of those that failed
 */
export async function doChores(machine: Machine, chores: readonly Chore[]): Promise<string[]> {
  const failed: string[] = [];
  for (const { name, args, deadlineMs } of chores) {
    const result = await callAgent(machine, args, deadlineMs);
    if (result.exitCode === EXIT.ok) continue;
    failed.push(name);
    if (name !== "health" || result.exitCode !== EXIT.unhealthy)
      machine.log.warn(`${name}: ${endOf(result, deadlineMs)}`);
  }
  return failed;
}

/**
 * Goes on until the process is ended. A round is a process of its own, which reads the configuration anew; between two of them this one
 * only waits, with as little in memory as there can be.
 */
export async function runDaemon(machine: Machine): Promise<never> {
  for (;;) {
    const from = performance.now();
    try {
      const result = await callAgent(machine, ["daemon", "--once"], ROUND_MS);
      // The round's own log, for systemd's journal.
      if (result.exitCode === EXIT.ok || result.exitCode === EXIT.unhealthy) process.stderr.write(result.stderr);
      else machine.log.warn(endOf(result, ROUND_MS));
    } catch (error) {
      machine.log.error((error as Error).message);
    }
    await machine.clock.sleep(Math.max(1_000, PERIOD_MS - (performance.now() - from)));
  }
}

async function callAgent(machine: Machine, args: readonly string[], deadlineMs: number) {
  return await machine.exec(realpathSync(process.execPath), args, { deadlineMs, maxOutputBytes: 64 << 10 });
}

function endOf(result: Awaited<ReturnType<typeof callAgent>>, deadlineMs: number): string {
  const end = result.timedOut
    ? `did not end within ${deadlineMs / 1_000} s`
    : `exit ${result.exitCode ?? result.signal}`;
  return `${end}: ${result.stderr.trim().split("\n").slice(-3).join(" | ")}`;
}
