import { METRICS } from "./names.ts";
import type { HostFigures } from "./steps.ts";

/** One value of one host, as CloudWatch takes it. */
export interface HostMetric {
  readonly namespace: string;
  readonly name: string;
  readonly unit: "Count" | "Percent" | "Seconds" | "Bytes" | "None";
  readonly value: number;
}

/**
 * A host's figures as metrics under the seed's names, those that its alerts ask beside them. Pure. What an older agent does not tell is
 * left out. A host that never had an update is as old as the clock, as in the seed's exporter.
 */
export function hostMetrics(figures: HostFigures, now: Date): HostMetric[] {
  const { operations, security } = METRICS;
  const { daemonActive, lastUpdateAt, diskBytes } = figures;
  const metric = (namespace: string, name: string, unit: HostMetric["unit"], value: number | undefined) =>
    value === undefined ? [] : [{ namespace, name, unit, value }];
  const age =
    lastUpdateAt === undefined
      ? undefined
      : Math.max(0, Math.round((now.getTime() - Date.parse(lastUpdateAt ?? "1970-01-01T00:00:00Z")) / 1000));
  return [
    ...metric(operations, METRICS.totalPackages, "Count", figures.totalPackages),
    ...metric(operations, METRICS.backupCount, "Count", figures.backupCount),
    ...metric(operations, METRICS.diskUsagePercent, "Percent", figures.diskUsagePercent),
    ...metric(operations, METRICS.daemonStatus, "None", daemonActive === undefined ? undefined : Number(daemonActive)),
    ...metric(operations, METRICS.lastUpdateAge, "Seconds", age),
    ...metric(operations, METRICS.diskUsageBytes, "Bytes", diskBytes),
    ...metric(security, METRICS.securityViolations, "Count", figures.securityViolations),
  ];
}
