import type { Declaration } from "./declaration.ts";
import { lookProgram } from "./watch-once.ts";

export const declaration = {
  name: "autopatch watchdog",
  summary: "takes the host back when a trial was not committed in time",
  about:
    "Called every minute by autopatch-watchdog.timer while a change is on trial. One look: a trial within its time is left alone, one that is over is rolled back, without network or cloud; so is a change whose process died.",
  usage: [""],
  flags: {},
  exits: ["rollback", "blocked"],
} as const satisfies Declaration;

export const run = lookProgram("watchdog", declaration);
