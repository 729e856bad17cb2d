import { KEYS } from "../../contract/names.ts";
import { type Snapshot, WaveVerdict } from "../../contract/run.ts";
import type { RunStore } from "../aws/run-store.ts";
import type { AssessPolicy } from "../fleet/assess.ts";
import { committedItems, fateOfCommitted } from "../fleet/committed.ts";

/** Writes the items of what is still to be done with those that committed. */
export async function keepCommitted(
  store: RunStore,
  { runId, dryRun, wavePolicy: { onStop } }: Snapshot,
  seen: Parameters<typeof committedItems>[1],
  verdict: WaveVerdict,
): Promise<Pick<WaveVerdict, "committed">> {
  const items = dryRun ? [] : committedItems(runId, seen);
  const committed = fateOfCommitted(verdict, items.length, onStop);
  if (committed === null) return {};
  await store.write(KEYS.waveItems(runId, verdict.wave, committed === "check" ? "check" : "rollback"), items);
  return { committed };
}

/** What the wave is held to, with how the run stands after the waves before. */
export async function policyOf(store: RunStore, snapshot: Snapshot, before: readonly number[]): Promise<AssessPolicy> {
  const { errorBudget, runErrorBudget = errorBudget } = snapshot.wavePolicy;
  const failed = await Promise.all(before.map((wave) => failedOf(store, snapshot.runId, wave)));
  const failedBefore = failed.reduce((sum, one) => sum + one, 0);
  const hosts = snapshot.waves.flatMap(({ batches }) => batches.flat()).length;
  const { dryRun, proven = false } = snapshot;
  return { errorBudget, dryRun, proven, run: { hosts, failedBefore, errorBudget: runErrorBudget } };
}

/** Hosts of a wave that failed, as it was judged last: after the bake those that failed before are counted too. */
async function failedOf(store: RunStore, runId: string, wave: number): Promise<number> {
  const last = await store.read(KEYS.verdict(runId, wave, "check"), WaveVerdict);
  return (last ?? (await store.read(KEYS.verdict(runId, wave, "apply"), WaveVerdict)))?.failed ?? 0;
}
