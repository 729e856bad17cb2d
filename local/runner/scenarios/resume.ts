import type { Scenario } from "../scenario.ts";
import { plainHosts } from "./plain-hosts.ts";
import { startAndStop } from "./stop.ts";

/** A run that was stopped is gone on with: only what is left, and without a canary, since the old one was healthy. */
export const resume: Scenario = {
  name: "resume",
  about: "a stopped run is gone on with: the hosts that are left, the canary not again",
  options: { hosts: 3, packages: "sample" },
  hosts: (options) => plainHosts(options, "committed"),
  outcome: () => "succeeded",
  play: async (play) => {
    const stopped = await startAndStop(play);
    const before = await stopped.ended;
    play.tell(`resumes run ${stopped.runId}`);
    const after = await play.start({ resume: stopped.runId }).ended;
    const again = after.hosts.filter(({ name }) => name === "canary-01");
    return {
      runs: [before, after],
      problems: [
        ...(before.outcome === "stopped" ? [] : [`the first run is ${before.outcome}, not stopped`]),
        ...again.map(({ name }) => `${name} was committed before and is part of the second run`),
      ],
    };
  },
};
