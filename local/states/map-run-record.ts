import type { DescribeMapRunOutput, MapRunExecutionCounts, MapRunStatus } from "@aws-sdk/client-sfn";
import type { ExecutionRecord } from "./execution-record.ts";
import type { Batch } from "./map-items.ts";

/** One run of a Distributed Map: its settings, and a child execution for each batch that was started. */
export interface MapRunRecord {
  readonly arn: string;
  readonly executionArn: string;
  /** `…:stateMachine:Machine/Label`, whose executions the children are. */
  readonly stateMachineArn: string;
  readonly stateMachineName: string;
  readonly startDate: Date;
  readonly maxConcurrency: number;
  readonly toleratedFailureCount: number | undefined;
  readonly toleratedFailurePercentage: number | undefined;
  readonly children: Map<number, ExecutionRecord>;
  batches: readonly Batch[];
  resultsWritten: boolean;
  status: MapRunStatus;
  stopDate: Date | undefined;
}

/** Counted by children, or weighted by the items in each. */
export function countMapRun(mapRun: MapRunRecord, by: "executions" | "items"): MapRunExecutionCounts {
  const counts = {
    pending: 0,
    running: 0,
    succeeded: 0,
    failed: 0,
    timedOut: 0,
    aborted: 0,
    total: 0,
    resultsWritten: 0,
  };
  for (const [index, batch] of mapRun.batches.entries()) {
    const weight = by === "items" ? batch.items : 1;
    counts[bucketOf(mapRun.children.get(index))] += weight;
    counts.total += weight;
  }
  if (mapRun.resultsWritten)
    counts.resultsWritten = counts.succeeded + counts.failed + counts.timedOut + counts.aborted;
  return counts;
}

function bucketOf(child: ExecutionRecord | undefined) {
  switch (child?.status) {
    case undefined:
    case "PENDING_REDRIVE":
      return "pending";
    case "RUNNING":
      return "running";
    case "SUCCEEDED":
      return "succeeded";
    case "FAILED":
      return "failed";
    case "TIMED_OUT":
      return "timedOut";
    case "ABORTED":
      return "aborted";
  }
}

/** Have more items failed than the Map tolerates? With neither tolerance set, one is too many. */
export function exceedsTolerance(mapRun: MapRunRecord): boolean {
  const counts = countMapRun(mapRun, "items");
  const failed = (counts.failed ?? 0) + (counts.timedOut ?? 0) + (counts.aborted ?? 0);
  const { toleratedFailureCount: most, toleratedFailurePercentage: share } = mapRun;
  if (most === undefined && share === undefined) return failed > 0;
  if (most !== undefined && failed > most) return true;
  return share !== undefined && (failed / (counts.total ?? 1)) * 100 > share;
}

/** As DescribeMapRun gives it. */
export function describeMapRun(mapRun: MapRunRecord): DescribeMapRunOutput {
  return {
    mapRunArn: mapRun.arn,
    executionArn: mapRun.executionArn,
    status: mapRun.status,
    startDate: mapRun.startDate,
    ...(mapRun.stopDate === undefined ? {} : { stopDate: mapRun.stopDate }),
    maxConcurrency: mapRun.maxConcurrency,
    toleratedFailurePercentage: mapRun.toleratedFailurePercentage ?? 0,
    toleratedFailureCount: mapRun.toleratedFailureCount ?? 0,
    itemCounts: countMapRun(mapRun, "items"),
    executionCounts: countMapRun(mapRun, "executions"),
    redriveCount: 0,
  };
}
