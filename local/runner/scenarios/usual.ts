import type { WavePolicy } from "../../../contract/run.ts";
import type { Scenario } from "../scenario.ts";
import { STORY_ERROR_BUDGET, storyOutcome } from "../story.ts";

/** The waves of the local story: one canary, then everybody else. */
export const STORY_WAVES: Partial<WavePolicy> = {
  canary: 1,
  steps: [1],
  errorBudget: STORY_ERROR_BUDGET,
  bakeSeconds: 2,
};

/** What `npm start` does when nothing else is asked for. */
export const usual: Scenario = {
  name: "usual",
  about: "a canary, then the rest; what fails goes back, within the error budget",
  // Debian's updates have critical packages among them, which wait for somebody: that is a story of its own.
  config: { approval: { critical: false } },
  outcome: ({ dryRun }, hosts) => (dryRun ? "succeeded" : storyOutcome(hosts)),
  play: async ({ start, options }) => {
    const run = start({ dryRun: options.dryRun, waves: STORY_WAVES });
    return { runs: [await run.ended], problems: [] };
  },
};
