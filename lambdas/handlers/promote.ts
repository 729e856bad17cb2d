import { KEYS } from "../../contract/names.ts";
import { PromoteAnswer, PromoteMessage, Promotion } from "../../contract/promotion.ts";
import { RunStore } from "../aws/run-store.ts";
import { committedCanaries } from "../fleet/canary-locks.ts";
import { promotes } from "../fleet/fleet-locks.ts";
import { byHost } from "../fleet/host-outcome.ts";
import { proveLocks } from "../fleet/proven-locks.ts";
import { defineHandler, logLine } from "./define-handler.ts";
import { signLocks } from "./promotion.ts";
import { collectionsOf, reportsOf, snapshotOf } from "./run-data.ts";

/**
 * Makes what the canaries proved the fleet's lock: signed, one for each kind of hosts. Whoever asks again gets what was made the first
 * time. The one function that may sign.
 */
export const handler = defineHandler(PromoteMessage, PromoteAnswer, async ({ runId }, surroundings) => {
  const store = new RunStore(surroundings.settings.bucket);
  const snapshot = await snapshotOf(store, runId);
  const [wave] = snapshot.waves;
  if (wave === undefined || !promotes(snapshot)) return { sequence: null, proven: [], unproven: [] };
  const before = await store.read(KEYS.promotion(runId), Promotion);
  if (before !== undefined) return answerOf(before);
  const collections = await collectionsOf(store, runId, [wave.index]);
  const canaries = committedCanaries({
    wave,
    results: byHost(collections),
    reports: await reportsOf(store, runId, collections),
    names: new Map(snapshot.hosts.map(({ instanceId, name }) => [instanceId, name])),
  });
  const proof = proveLocks(canaries);
  for (const one of proof.unproven) logLine({ runId, ...one, message: "no fleet lock" });
  const promotion = await signLocks(store, snapshot, { proof, canaries }, surroundings);
  await store.writeNew(KEYS.promotion(runId), promotion);
  return answerOf(promotion);
});

function answerOf({ terms, locks, unproven }: Promotion) {
  return { sequence: terms?.sequence ?? null, proven: locks.kinds, unproven: unproven.map(({ kind }) => kind) };
}
