import { METRICS } from "../../contract/names.ts";
import type { RunReport } from "../../contract/run.ts";
import { phaseTimings, stepTimings } from "./phase-timings.ts";
import { outcomeCounts } from "./sentence.ts";

type Unit = "Seconds" | "Count";

/**
 * A run's own timings and outcomes in CloudWatch's embedded metric format: one object a line of the log, from which CloudWatch makes
 * metrics without a call. Pure. Dimensions are fleet, phase, step and outcome, of which there are few; run and wave are fields to search by.
 * A dry run has none: it neither patches nor takes the time of a run.
 */
export function embeddedMetrics(report: RunReport, at: Date): Readonly<Record<string, unknown>>[] {
  const { fleet, runId, outcome } = report;
  if (report.dryRun) return [];
  const line = (
    dimensions: Readonly<Record<string, string>>,
    metrics: Readonly<Record<string, readonly [number, Unit]>>,
    fields: Readonly<Record<string, unknown>> = {},
  ) => ({
    _aws: {
      Timestamp: at.getTime(),
      CloudWatchMetrics: [
        {
          Namespace: METRICS.operations,
          Dimensions: [[METRICS.fleetDimension, ...Object.keys(dimensions)]],
          Metrics: Object.entries(metrics).map(([Name, [, Unit]]) => ({ Name, Unit })),
        },
      ],
    },
    [METRICS.fleetDimension]: fleet,
    ...dimensions,
    ...Object.fromEntries(Object.entries(metrics).map(([name, [value]]) => [name, value])),
    runId,
    ...fields,
  });
  const took = Date.parse(report.finishedAt) - Date.parse(report.plannedAt);
  return [
    line(
      {},
      { [METRICS.runSeconds]: [took / 1000, "Seconds"], [METRICS.runHosts]: [report.hosts.length, "Count"] },
      { outcome },
    ),
    ...outcomeCounts(report.hosts).map(([what, count]) =>
      line({ [METRICS.outcomeDimension]: what }, { [METRICS.hostsByOutcome]: [count, "Count"] }),
    ),
    ...phaseTimings(report).map(({ wave, phase, hosts, ms }) =>
      line({ [METRICS.phaseDimension]: phase }, { [METRICS.phaseSeconds]: [ms / 1000, "Seconds"] }, { wave, hosts }),
    ),
    ...stepTimings(report).map(({ step, hosts, p50, p95, max }) =>
      line(
        { [METRICS.stepDimension]: step },
        {
          [METRICS.stepSecondsP50]: [p50 / 1000, "Seconds"],
          [METRICS.stepSecondsP95]: [p95 / 1000, "Seconds"],
          [METRICS.stepSecondsMax]: [max / 1000, "Seconds"],
        },
        { hosts },
      ),
    ),
  ];
}
