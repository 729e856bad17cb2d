import { runDaemon } from "../daemon/daemon.ts";
import { localMachine, requireRoot } from "../host/local-machine.ts";
import type { Declaration } from "./declaration.ts";
import { readFlags } from "./program.ts";

export const declaration = {
  name: "autopatch daemon",
  summary: "health, metrics and upload of new backups every five minutes",
  about:
    "What autopatch-daemon.service runs: every five minutes a look at the host's health, the file for Prometheus, CloudWatch metrics where " +
    "they are on, and new backups to S3 where a bucket is named. A host that is not well any more, or well again, is told of in the log " +
    "and to AUTOPATCH_ALERT_TOPIC. The way back of a host on trial has a timer of its own.",
  usage: ["[--once | --health]"],
  flags: {
    once: { type: "boolean", meaning: "does each once and ends; exit 11 when one failed" },
    health: { type: "boolean", meaning: "the look at the host's health alone; exit 11 when it is not well" },
  },
  exits: ["unhealthy"],
} as const satisfies Declaration;

export async function run(args: readonly string[]): Promise<number> {
  const { flags } = readFlags(declaration.name, declaration.flags, args);
  requireRoot();
  if (flags.health === true || flags.once === true)
    return await (await import("./daemon-round.ts")).runRound(flags.health === true ? "health" : "all");
  // Its log level is the default: to know another, the process that stays would have to read the configuration.
  const machine = localMachine("daemon", { AUTOPATCH_LOG_LEVEL: "info" });
  machine.log.info("started");
  return await runDaemon(machine);
}
