import { KEYS } from "../../contract/names.ts";
import { Snapshot, StepCollection } from "../../contract/run.ts";
import { StepReport } from "../../contract/step-report.ts";
import type { RunStore } from "../aws/run-store.ts";

/** The run as planned. @throws Error when there is none */
export async function snapshotOf(store: RunStore, runId: string): Promise<Snapshot> {
  const snapshot = await store.read(KEYS.snapshot(runId), Snapshot);
  if (snapshot === undefined)
    throw new Error(`run ${runId}: it was never planned: there is no ${KEYS.snapshot(runId)}`);
  return snapshot;
}

/** Everything that commands brought back for these waves. */
export async function collectionsOf(
  store: RunStore,
  runId: string,
  waves: readonly number[],
): Promise<StepCollection[]> {
  const keys = await Promise.all(waves.map((wave) => store.list(KEYS.waveResults(runId, wave))));
  return [...(await store.readAll(keys.flat(), StepCollection)).values()];
}

/** Hosts' full reports, by key. Hosts write them: one that cannot be read costs its details, not the run its report. */
export async function hostReportsOf(store: RunStore, keys: readonly string[]): Promise<Map<string, StepReport>> {
  const lenient = StepReport.nullable().catch(null);
  const read = await store.readAll(keys, lenient);
  return new Map([...read].flatMap(([key, report]) => (report === null ? [] : [[key, report] as const])));
}
