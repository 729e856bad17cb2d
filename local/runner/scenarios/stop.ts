import { DECISION_KEYS } from "../../../contract/decisions.ts";
import type { Play, Scenario, StartedRun } from "../scenario.ts";
import { plainHosts } from "./plain-hosts.ts";
import { STORY_WAVES } from "./usual.ts";

/** Starts a run whose operator stops it while its canary bakes. */
export async function startAndStop({ cloud, start, put, tell }: Play): Promise<StartedRun> {
  const run = start({ waves: { ...STORY_WAVES, bakeSeconds: 5 } });
  await run.entered("Bake");
  const key = `${DECISION_KEYS.stops(run.runId)}${cloud.operator.userId}.json`;
  await put(cloud.deployment.outputs.DecisionsBucketName ?? "", key, { reason: "the shop is busy" });
  tell(`stops run ${run.runId} while its canary bakes`);
  return run;
}

/** An operator stops a run: it ends at its next border, every host committed or untouched. */
export const stop: Scenario = {
  name: "stop",
  about: "an operator stops the run; it ends at its next border, no host in between",
  options: { hosts: 3, packages: "sample" },
  hosts: (options) => plainHosts(options, "unchanged"),
  outcome: () => "stopped",
  play: async (play) => {
    const run = await startAndStop(play);
    const report = await run.ended;
    const told = `Stopped before wave 1: stopped by ${play.cloud.operator.userId}: the shop is busy.`;
    return {
      runs: [report],
      problems: report.sentence.startsWith(told) ? [] : [`the report says: ${report.sentence}; not: ${told}`],
    };
  },
};
