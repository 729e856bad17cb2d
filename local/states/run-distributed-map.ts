import type { Distribution, MapState } from "./definition.ts";
import { Aborted, StateFailure } from "./errors.ts";
import { evaluateNumber } from "./evaluate.ts";
import { asFailure } from "./failing.ts";
import { failureDetails } from "./history.ts";
import type { Json } from "./json.ts";
import { batchItems, itemsOf, readItems, selectItems } from "./map-items.ts";
import { mapResult, writeResults } from "./map-results.ts";
import { exceedsTolerance, type MapRunRecord } from "./map-run-record.ts";
import { frameOf, note, type Visit } from "./run.ts";
import { sideBySide } from "./side-by-side.ts";
import { unlessAborted } from "./waiting.ts";

/** A Distributed Map runs at most this many children at once. Source: AWS, "Using Map state in Distributed mode". */
const DISTRIBUTED_CONCURRENCY = 10_000;

/** Runs one child execution for each item or batch, in a Map Run of its own. @throws StateFailure, Aborted */
export async function attemptDistributedMap(visit: Visit<MapState>, distributed: Distribution): Promise<Json> {
  const { branch, state } = visit;
  const direct = distributed.reader === undefined ? await itemsOf(visit) : undefined;
  const frame = frameOf(visit);
  const number = async (value: number | string | undefined, field: string) =>
    value === undefined
      ? undefined
      : evaluateNumber(value, field, frame, { fraction: field === "ToleratedFailurePercentage" });
  const settings = {
    maxConcurrency: (await number(state.maxConcurrency, "MaxConcurrency")) ?? 0,
    toleratedFailureCount: await number(distributed.toleratedFailureCount, "ToleratedFailureCount"),
    toleratedFailurePercentage: await number(distributed.toleratedFailurePercentage, "ToleratedFailurePercentage"),
  };
  note(branch, "MapStateStarted", ["mapStateStartedEventDetails", { length: direct?.length ?? 0 }]);
  const mapRun = branch.run.executions.openMapRun(branch.run.execution, distributed.label, state.name, settings);
  note(branch, "MapRunStarted", ["mapRunStartedEventDetails", { mapRunArn: mapRun.arn }]);
  try {
    const items = direct ?? (distributed.reader === undefined ? [] : await readItems(visit, distributed.reader));
    mapRun.batches = await batchItems(visit, distributed.batcher, await selectItems(visit, items));
    await runChildren(visit, mapRun).finally(() => writeBeforeEnding(visit, distributed, mapRun));
    const result = await mapResult(visit, distributed.writer, mapRun);
    endMapRun(visit, mapRun, "SUCCEEDED");
    note(branch, "MapRunSucceeded");
    note(branch, "MapStateSucceeded", undefined, true);
    return result;
  } catch (error) {
    const failure = asFailure(error);
    endMapRun(visit, mapRun, failure instanceof Aborted ? "ABORTED" : "FAILED");
    if (failure instanceof StateFailure) {
      note(branch, "MapRunFailed", ["mapRunFailedEventDetails", failureDetails(failure)]);
    }
    throw failure;
  }
}

async function runChildren(visit: Visit<MapState>, mapRun: MapRunRecord): Promise<void> {
  const { branch, state } = visit;
  const { executions } = branch.run;
  const limit = mapRun.maxConcurrency === 0 ? DISTRIBUTED_CONCURRENCY : mapRun.maxConcurrency;
  const stopAll = () => {
    for (const child of mapRun.children.values()) {
      if (child.status === "RUNNING") executions.stop(child.arn, undefined, undefined);
    }
  };
  const runChild = async (index: number) => {
    await branch.run.ports.pace?.child();
    const child = executions.startChild(mapRun, state.processor, mapRun.batches[index]?.input ?? null);
    mapRun.children.set(index, child);
    await unlessAborted(child.finished, branch.signal);
    if (child.status !== "SUCCEEDED" && exceedsTolerance(mapRun)) {
      throw new StateFailure(
        "States.ExceedToleratedFailureThreshold",
        "The specified tolerated failure threshold was exceeded.",
      );
    }
  };
  try {
    await sideBySide(mapRun.batches.length, limit, runChild, stopAll);
  } finally {
    stopAll();
  }
}

/** The results are written also when too many children failed: they are what the operator looks at then. */
async function writeBeforeEnding(
  visit: Visit<MapState>,
  distributed: Distribution,
  mapRun: MapRunRecord,
): Promise<void> {
  if (visit.branch.signal.aborted || distributed.writer?.arguments === undefined) return;
  await writeResults(visit, distributed.writer.arguments, distributed.writer, mapRun);
}

function endMapRun(visit: Visit, mapRun: MapRunRecord, status: "SUCCEEDED" | "FAILED" | "ABORTED"): void {
  mapRun.status = status;
  mapRun.stopDate = visit.branch.run.ports.clock.now();
  mapRun.resultsWritten = status !== "ABORTED";
}
