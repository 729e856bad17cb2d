import { Failure } from "../../contract/failures.ts";
import { systemClock } from "./clock.ts";
import type { Config } from "./config.ts";
import { exec } from "./exec.ts";
import { openLog } from "./log.ts";
import type { Machine } from "./machine.ts";

/** The machine this process runs on, with a log for the named program. */
export function localMachine(program: string, config: Pick<Config, "AUTOPATCH_LOG_LEVEL">): Machine {
  return {
    exec,
    clock: systemClock,
    root: "/",
    log: openLog({
      root: "/",
      clock: systemClock,
      program,
      level: config.AUTOPATCH_LOG_LEVEL,
      stderr: (line) => process.stderr.write(`${line}\n`),
    }),
  };
}

/** @throws Failure `notRoot` */
export function requireRoot(): void {
  const uid = process.geteuid?.() ?? 0;
  if (uid !== 0) throw new Failure("notRoot", `the agent runs as user ${uid}: run it with sudo, or through SSM`);
}
