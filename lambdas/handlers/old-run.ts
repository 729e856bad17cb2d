import type { FleetSettings } from "../../contract/environment.ts";
import { KEYS } from "../../contract/names.ts";
import { type RunRequest, type Snapshot, WaveVerdict } from "../../contract/run.ts";
import type { Phase } from "../../contract/steps.ts";
import type { RunStore } from "../aws/run-store.ts";
import { type Remaining, remainingOf } from "../fleet/resume.ts";
import { ContractError } from "./define-handler.ts";
import { collectionsOf, snapshotOf } from "./run-data.ts";

/** The run that a request goes on with, and what is left of it. @throws ContractError, CannotResume */
export async function oldRun(
  store: RunStore,
  { instanceIds, targets }: RunRequest,
  runId: string,
  { fleet }: FleetSettings,
): Promise<Remaining & { readonly old: Snapshot }> {
  if (instanceIds !== undefined || targets !== undefined)
    throw new ContractError(
      `resume ${runId}: its hosts are those of that run: leave out instanceIds and targets, or start a new run with them`,
    );
  const old = await snapshotOf(store, runId);
  const collections = await collectionsOf(
    store,
    runId,
    old.waves.map(({ index }) => index),
  );
  const verdict = (phase: Phase) => store.read(KEYS.verdict(runId, 0, phase), WaveVerdict);
  const canary = { apply: await verdict("apply"), check: await verdict("check") };
  return { old, ...remainingOf(old, collections, canary, fleet) };
}
