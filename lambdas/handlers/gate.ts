import { KEYS } from "../../contract/names.ts";
import { GateAnswer, GateMessage } from "../../contract/workflow.ts";
import { RunStore } from "../aws/run-store.ts";
import { gateStop, judgeGate } from "../fleet/gate.ts";
import { defineHandler } from "./define-handler.ts";
import { gateFacts } from "./gate-facts.ts";
import { holdFleet, snapshotOf, waveOf } from "./run-data.ts";

/** Whether a phase of a wave may begin now. Asking holds the fleet for the run. */
export const handler = defineHandler(GateMessage, GateAnswer, async (message, { settings, now }) => {
  const { runId, wave: index, phase } = message;
  const store = new RunStore(settings.bucket);
  const snapshot = await snapshotOf(store, runId);
  const wave = waveOf(snapshot, index);
  await holdFleet(store, snapshot, settings, now);
  const since = message.since ?? now.toISOString();
  const facts = await gateFacts({ store, snapshot, settings }, wave, phase);
  const judged = judgeGate(facts, settings.gates, new Date(since), now);
  if (judged.verdict === "stop")
    await store.write(
      KEYS.gateVerdict(runId, index, phase),
      gateStop(index, phase, wave.batches.flat().length, judged),
    );
  const { verdict, reason } = judged;
  return { verdict, reason, since, waitSeconds: settings.gates.lookSeconds };
});
