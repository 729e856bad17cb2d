import { RunId } from "../../contract/envelope.ts";
import { KEYS } from "../../contract/names.ts";
import { Snapshot } from "../../contract/run.ts";
import { PlanAnswer, PlanMessage } from "../../contract/workflow.ts";
import { ManagedInstances } from "../aws/managed-instances.ts";
import { RunStore } from "../aws/run-store.ts";
import { takeSnapshot } from "../fleet/snapshot.ts";
import { chooseTargets } from "../fleet/targets.ts";
import { batchItems } from "../fleet/waves.ts";
import { ContractError, defineHandler } from "./define-handler.ts";

const instances = new ManagedInstances();

/** Fixes what the run is about. Whoever asks again for the same run gets what was fixed the first time. */
export const handler = defineHandler(PlanMessage, PlanAnswer, async ({ executionName, request }, { settings, now }) => {
  const runId = runIdOf(request.runId ?? executionName);
  const store = new RunStore(settings.bucket);
  const { tag } = settings;
  const wanted = request.instanceIds;
  const enrolled = wanted === undefined ? await instances.withTag(tag) : await instances.withIds(wanted, tag);
  const found = wanted === undefined ? enrolled : await instances.withIds(wanted);
  const targets = chooseTargets(found, new Set(enrolled.map(({ instanceId }) => instanceId)), wanted, tag);

  const planned = takeSnapshot(runId, request, settings, targets, now);
  const isNew = await store.writeNew(KEYS.snapshot(runId), planned);
  const snapshot = isNew ? planned : ((await store.read(KEYS.snapshot(runId), Snapshot)) ?? planned);
  for (const wave of snapshot.waves) {
    await store.writeNew(KEYS.waveItems(runId, wave.index, "prepare"), batchItems(runId, wave));
  }
  const keysOf = (wave: number) => ({
    prepare: KEYS.waveItems(runId, wave, "prepare"),
    apply: KEYS.waveItems(runId, wave, "apply"),
  });
  const bakeSeconds = snapshot.dryRun ? 0 : snapshot.wavePolicy.bakeSeconds;
  const items = snapshot.waves.map(({ index }) => keysOf(index));
  return { runId, dryRun: snapshot.dryRun, waves: items.length, items, bakeSeconds, bucket: settings.bucket };
});

function runIdOf(name: string): string {
  const parsed = RunId.safeParse(name);
  if (parsed.success) return parsed.data;
  throw new ContractError(
    `${name} cannot be a run's id: ${parsed.error.issues[0]?.message}; start the execution under another name, or give runId in its input`,
  );
}
