import { KEYS } from "../../contract/names.ts";
import { AssessAnswer, AssessMessage } from "../../contract/workflow.ts";
import { Metrics } from "../aws/metrics.ts";
import { RunStore } from "../aws/run-store.ts";
import { applyItems, assessWave } from "../fleet/assess.ts";
import { byHost } from "../fleet/host-outcome.ts";
import { plansOf, violationMetric } from "../fleet/violations.ts";
import { approvalNeed } from "./approval-need.ts";
import { keepCommitted, policyOf } from "./assess-data.ts";
import { defineHandler } from "./define-handler.ts";
import { collectionsOf, reportsOf, snapshotOf, waveOf } from "./run-data.ts";

const metrics = new Metrics();

/** Decides whether the run goes on, and after prepare, who is applied to and whether people must approve it first. */
export const handler = defineHandler(AssessMessage, AssessAnswer, async (message, { settings, now }) => {
  const { runId, wave: index, phase } = message;
  const store = new RunStore(settings.bucket);
  const snapshot = await snapshotOf(store, runId);
  const wave = waveOf(snapshot, index);
  const before = [...Array(index).keys()];
  const collections = await collectionsOf(store, runId, [index]);
  const results = byHost(collections);
  const seen = {
    wave,
    results,
    // Those after the canaries are held to what these proved by the fleet lock itself.
    plans: phase === "prepare" && index === 0 ? plansOf(results, await reportsOf(store, runId, collections)) : [],
    earlier: phase === "prepare" ? byHost(await collectionsOf(store, runId, before)) : new Map(),
    names: new Map(snapshot.hosts.map(({ instanceId, name }) => [instanceId, name])),
  };
  const judged = assessWave(seen, phase, await policyOf(store, snapshot, before));
  const goesOn = phase === "prepare" && judged.decision === "continue";
  if (goesOn) await store.write(KEYS.waveItems(runId, index, "apply"), applyItems(runId, seen, snapshot.dryRun));
  const need = goesOn ? await approvalNeed(store, { snapshot, wave, collections }, settings, now) : { approval: null };
  const decided = "stop" in need ? { ...judged, decision: "stop" as const, reason: need.stop } : judged;
  const verdict = { ...decided, ...(await keepCommitted(store, snapshot, seen, decided)) };
  await store.write(KEYS.verdict(runId, index, phase), verdict);
  // Now and not with the report: whoever is to look should not wait for the end of the run.
  if (verdict.violation === true) await metrics.publish([violationMetric(settings.fleet)], now);
  return { ...verdict, approval: "stop" in need ? null : need.approval };
});
