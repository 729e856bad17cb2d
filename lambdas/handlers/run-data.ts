import type { FleetSettings } from "../../contract/environment.ts";
import { KEYS } from "../../contract/names.ts";
import { Promotion } from "../../contract/promotion.ts";
import { CommandResults, RunTerms, SentCommand, Snapshot, type Wave } from "../../contract/run.ts";
import { StepReport } from "../../contract/step-report.ts";
import { FleetLease } from "../aws/fleet-lease.ts";
import type { RunStore } from "../aws/run-store.ts";
import { fleetLockPart, provingRun } from "../fleet/fleet-locks.ts";
import { leaseSeconds } from "../fleet/lease.ts";
import { reportKeysOf } from "../fleet/run-report.ts";
import { unanswered } from "../fleet/unanswered.ts";

/** The run as planned. @throws Error when there is none */
export async function snapshotOf(store: RunStore, runId: string): Promise<Snapshot> {
  const snapshot = await store.read(KEYS.snapshot(runId), Snapshot);
  if (snapshot === undefined)
    throw new Error(`run ${runId}: it was never planned: there is no ${KEYS.snapshot(runId)}`);
  return snapshot;
}

/** What holds for every host of the run. @throws Error when it was never planned */
export async function termsOf(store: RunStore, runId: string): Promise<RunTerms> {
  const terms = await store.read(KEYS.terms(runId), RunTerms);
  if (terms === undefined) throw new Error(`run ${runId}: it was never planned: there is no ${KEYS.terms(runId)}`);
  return terms;
}

/** What hosts of a wave that prepare are told of fleet locks. @throws Error when what was proven is not there */
export async function fleetLockOf(store: RunStore, terms: RunTerms, wave: number) {
  return fleetLockPart(terms, wave, await promotionOf(store, terms, wave));
}

/** A run that resumes one that itself resumed another installs what the first of them proved. */
async function promotionOf(store: RunStore, terms: RunTerms, wave: number): Promise<Promotion | undefined> {
  const proving = provingRun(terms, wave);
  if (proving === null) return undefined;
  const own = await store.read(KEYS.promotion(proving), Promotion);
  if (own !== undefined || proving === terms.runId) return own;
  return promotionOf(store, await termsOf(store, proving), wave);
}

/** Everything that commands brought back for these waves, and what can be said of those that were sent and never collected. */
export async function collectionsOf(
  store: RunStore,
  runId: string,
  waves: readonly number[],
): Promise<CommandResults[]> {
  const found = await Promise.all(waves.map((wave) => collectionsOfWave(store, runId, wave)));
  return found.flat();
}

async function collectionsOfWave(store: RunStore, runId: string, wave: number): Promise<CommandResults[]> {
  // Results last: what is collected in between is not told to be lost.
  const sent = await store.list(KEYS.waveSent(runId, wave));
  const collected = await store.list(KEYS.waveResults(runId, wave));
  const prefix = KEYS.waveResults(runId, wave);
  const known = new Set(collected.map((key) => key.slice(prefix.length)));
  const lost = sent.filter((key) => !known.has(key.slice(KEYS.waveSent(runId, wave).length)));
  const results = [...(await store.readAll(collected, CommandResults)).values()];
  return [...results, ...[...(await store.readAll(lost, SentCommand)).values()].map(unanswered)];
}

/** What the hosts of these collections reported, as far as it lies where only they may write. */
export function reportsOf(store: RunStore, runId: string, collections: readonly CommandResults[]) {
  return hostReportsOf(store, reportKeysOf(runId, collections));
}

/** Hosts' full reports, by key. Hosts write them: one that cannot be read costs its details, not the run its report. */
export async function hostReportsOf(store: RunStore, keys: readonly string[]): Promise<Map<string, StepReport>> {
  const lenient = StepReport.nullable().catch(null);
  const read = await store.readAll(keys, lenient);
  return new Map([...read].flatMap(([key, report]) => (report === null ? [] : [[key, report] as const])));
}

/** @throws Error when the run has no such wave */
export function waveOf({ runId, waves }: Snapshot, index: number): Wave {
  const wave = waves[index];
  if (wave === undefined) throw new Error(`run ${runId}: it has ${waves.length} waves, none with index ${index}`);
  return wave;
}

/** Holds the fleet for a run, for as long as its next phase may take. @throws FleetBusy, LeaseLost when another run has it */
export function holdFleet(store: RunStore, snapshot: Snapshot, settings: FleetSettings, now: Date): Promise<void> {
  const { sending, gates, batchesAtOnce, restoreSeconds } = settings;
  const seconds = leaseSeconds(snapshot, { ...sending, batchesAtOnce, restoreSeconds, lookSeconds: gates.lookSeconds });
  return new FleetLease(store, settings.fleet).hold(snapshot.runId, seconds, now);
}
