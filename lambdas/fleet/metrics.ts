import { dataOf } from "../../contract/envelope.ts";
import { METRICS } from "../../contract/names.ts";
import type { StepData } from "../../contract/steps.ts";
import type { HostResults } from "./host-outcome.ts";

export interface FleetMetric {
  readonly namespace: string;
  readonly name: string;
  readonly unit: "Count" | "Percent";
  readonly dimension: { readonly name: string; readonly value: string };
  /** One for each host that said. */
  readonly values: readonly number[];
}

/** The seed's metrics for a fleet, from what its hosts last said of themselves. Pure. Without any figures there is none. */
export function fleetMetrics(fleet: string, hosts: Iterable<HostResults>): FleetMetric[] {
  const figures = [...hosts].map(lastFigures).filter((value) => value !== undefined);
  if (figures.length === 0) return [];
  const dimension = { name: METRICS.fleetDimension, value: fleet };
  const metric = (namespace: string, name: string, unit: FleetMetric["unit"], key: keyof Figures): FleetMetric => ({
    namespace,
    name,
    unit,
    dimension,
    values: figures.map((host) => host[key]),
  });
  return [
    metric(METRICS.operations, METRICS.totalPackages, "Count", "totalPackages"),
    metric(METRICS.operations, METRICS.backupCount, "Count", "backupCount"),
    metric(METRICS.operations, METRICS.diskUsagePercent, "Percent", "diskUsagePercent"),
    metric(METRICS.security, METRICS.securityViolations, "Count", "securityViolations"),
  ];
}

type Figures = StepData<"preflight">["figures"];

function lastFigures({ preflight, commit }: HostResults): Figures | undefined {
  const after = commit && dataOf(commit, "commit");
  const before = preflight && dataOf(preflight, "preflight");
  return after?.figures ?? before?.figures;
}
