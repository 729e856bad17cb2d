import { setTimeout } from "node:timers/promises";
import type { Clock } from "./machine.ts";

/** The machine's own time. */
export const systemClock: Clock = {
  now: () => new Date(),
  sleep: async (ms) => {
    await setTimeout(ms);
  },
};

/** UTC time as it stands in file names: `20261124T030200Z`. */
export function fileTime(date: Date): string {
  return date.toISOString().replace(/[-:]|\.\d+/g, "");
}
