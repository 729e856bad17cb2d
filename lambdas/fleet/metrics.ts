import { dataOf } from "../../contract/envelope.ts";
import { type HostMetric, hostMetrics } from "../../contract/host-metrics.ts";
import { METRICS } from "../../contract/names.ts";
import type { HostFigures } from "../../contract/steps.ts";
import { type HostResults, hostOutcome } from "./host-outcome.ts";

export interface FleetMetric {
  readonly namespace: string;
  readonly name: string;
  readonly unit: HostMetric["unit"];
  readonly dimension: { readonly name: string; readonly value: string };
  /** One for each host that said. */
  readonly values: readonly number[];
}

export interface MetricsAsked {
  readonly fleet: string;
  /** What each host answered, by instance id. */
  readonly hosts: ReadonlyMap<string, HostResults>;
  readonly dryRun: boolean;
  /** Each host's values under its own id too: a custom metric for each host and name. */
  readonly perInstance: boolean;
  readonly now: Date;
}

/** The seed's metrics for a fleet, and for its hosts where wanted, from what these last said of themselves. Pure. Without any figures there is none. */
export function fleetMetrics({ fleet, hosts, dryRun, perInstance, now }: MetricsAsked): FleetMetric[] {
  const told = [...hosts].map(([instanceId, results]) => ({ instanceId, metrics: metricsOf(results, dryRun, now) }));
  const dimension = { name: METRICS.fleetDimension, value: fleet };
  const byName = new Map<string, FleetMetric & { readonly values: number[] }>();
  for (const { value, ...metric } of told.flatMap(({ metrics }) => metrics)) {
    const known = byName.get(metric.name) ?? { ...metric, dimension, values: [] };
    known.values.push(value);
    byName.set(metric.name, known);
  }
  const own = told.flatMap(({ instanceId, metrics }) =>
    metrics.map(({ value, ...metric }): FleetMetric => {
      return { ...metric, dimension: { name: METRICS.instanceDimension, value: instanceId }, values: [value] };
    }),
  );
  return [...byName.values(), ...(perInstance ? own : [])];
}

function metricsOf(results: HostResults, dryRun: boolean, now: Date): HostMetric[] {
  const figures = lastFigures(results);
  if (figures === undefined) return [];
  // A host says how it stood when it was asked last; what this run made of it is newer.
  const outcome = dryRun ? null : hostOutcome(results, false);
  const upToDate = outcome === "committed" || outcome === "nothingToDo";
  return hostMetrics(upToDate ? { ...figures, lastUpdateAt: now.toISOString() } : figures, now);
}

function lastFigures({ preflight, commit }: HostResults): HostFigures | undefined {
  const after = commit && dataOf(commit, "commit");
  if (after !== undefined) return after.figures;
  if (preflight?.outcome === "nothingToDo") return preflight.figures;
  return preflight && dataOf(preflight, "preflight")?.figures;
}
