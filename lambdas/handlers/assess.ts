import { KEYS } from "../../contract/names.ts";
import { AssessAnswer, AssessMessage } from "../../contract/workflow.ts";
import { RunStore } from "../aws/run-store.ts";
import { applyItems, assessWave } from "../fleet/assess.ts";
import { byHost } from "../fleet/host-outcome.ts";
import { defineHandler } from "./define-handler.ts";
import { collectionsOf, snapshotOf } from "./run-data.ts";

/** Decides whether the run goes on, and after prepare, who is applied to. */
export const handler = defineHandler(
  AssessMessage,
  AssessAnswer,
  async ({ runId, wave: index, phase }, { settings }) => {
    const store = new RunStore(settings.bucket);
    const snapshot = await snapshotOf(store, runId);
    const wave = snapshot.waves[index];
    if (wave === undefined)
      throw new Error(`run ${runId}: it has ${snapshot.waves.length} waves, none with index ${index}`);
    const seen = {
      wave,
      results: byHost(await collectionsOf(store, runId, [index])),
      names: new Map(snapshot.hosts.map(({ instanceId, name }) => [instanceId, name])),
    };
    const { errorBudget } = snapshot.wavePolicy;
    const verdict = assessWave(seen, phase, { errorBudget, dryRun: snapshot.dryRun });
    if (phase === "prepare" && verdict.decision === "continue")
      await store.write(KEYS.waveItems(runId, index, "apply"), applyItems(runId, seen));
    await store.write(KEYS.verdict(runId, index, phase), verdict);
    return verdict;
  },
);
