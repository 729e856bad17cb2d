import { type HostMetric, hostMetrics } from "../../contract/host-metrics.ts";
import type { HostFigures } from "../../contract/steps.ts";

/** The host's metrics by namespace, as one call of PutMetricData takes them. Pure. */
export function cloudWatchData(
  figures: HostFigures,
  now: Date,
): { readonly namespace: string; readonly data: readonly HostMetric[] }[] {
  const metrics = hostMetrics(figures, now);
  return [...new Set(metrics.map(({ namespace }) => namespace))].map((namespace) => ({
    namespace,
    data: metrics.filter((metric) => metric.namespace === namespace),
  }));
}
