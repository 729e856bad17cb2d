import { RunId } from "../../contract/envelope.ts";
import type { FleetSettings } from "../../contract/environment.ts";
import { KEYS } from "../../contract/names.ts";
import { type RunRequest, RunTerms, Snapshot } from "../../contract/run.ts";
import { PlanAnswer, PlanMessage } from "../../contract/workflow.ts";
import { findHosts } from "../aws/fleet-hosts.ts";
import { FleetLease } from "../aws/fleet-lease.ts";
import { ManagedInstances } from "../aws/managed-instances.ts";
import { ResourceGroups } from "../aws/resource-groups.ts";
import { RunStore } from "../aws/run-store.ts";
import { ScalingGroups } from "../aws/scaling-groups.ts";
import { takeSnapshot } from "../fleet/snapshot.ts";
import { batchItems } from "../fleet/waves.ts";
import { ContractError, defineHandler } from "./define-handler.ts";
import { oldRun } from "./old-run.ts";

const instances = new ManagedInstances();
const scalingGroups = new ScalingGroups();
const resourceGroups = new ResourceGroups();
/** The gate before the first wave, seconds later, holds the fleet for as long as that wave may take. */
const PLANNING_SECONDS = 1_800;

/** Takes the fleet for the run and fixes what the run is about. Whoever asks again for the same run gets what was fixed the first time. */
export const handler = defineHandler(PlanMessage, PlanAnswer, async ({ executionName, request }, { settings, now }) => {
  const runId = runIdOf(request.runId ?? executionName);
  const store = new RunStore(settings.bucket);
  await new FleetLease(store, settings.fleet).hold(runId, PLANNING_SECONDS, now);
  const before = await store.read(KEYS.snapshot(runId), Snapshot);
  const planned = before ?? (await plan(store, runId, request, settings, now));
  const isNew = before === undefined && (await store.writeNew(KEYS.snapshot(runId), planned));
  const snapshot = isNew ? planned : ((await store.read(KEYS.snapshot(runId), Snapshot)) ?? planned);
  await store.writeNew(KEYS.terms(runId), RunTerms.parse(snapshot));
  for (const wave of snapshot.waves)
    await store.writeNew(KEYS.waveItems(runId, wave.index, "prepare"), batchItems(runId, wave));
  const items = snapshot.waves.map(({ index }) => ({
    prepare: KEYS.waveItems(runId, index, "prepare"),
    apply: KEYS.waveItems(runId, index, "apply"),
    check: KEYS.waveItems(runId, index, "check"),
    rollback: KEYS.waveItems(runId, index, "rollback"),
  }));
  const bakeSeconds = snapshot.dryRun ? 0 : snapshot.wavePolicy.bakeSeconds;
  return { runId, dryRun: snapshot.dryRun, waves: items.length, items, bakeSeconds, bucket: settings.bucket };
});

async function plan(store: RunStore, runId: string, request: RunRequest, settings: FleetSettings, now: Date) {
  const resumed = request.resume === undefined ? undefined : await oldRun(store, request, request.resume, settings);
  const wanted = resumed === undefined ? request : { instanceIds: [...resumed.instanceIds] };
  const hosts = await findHosts({ instances, scalingGroups, resourceGroups }, wanted, settings.tag);
  return takeSnapshot(runId, { ...request, ...wanted }, settings, hosts, now, resumed);
}

function runIdOf(name: string): string {
  const parsed = RunId.safeParse(name);
  if (parsed.success) return parsed.data;
  throw new ContractError(
    `${name} cannot be a run's id: ${parsed.error.issues[0]?.message}; start the execution under another name, or give runId in its input`,
  );
}
