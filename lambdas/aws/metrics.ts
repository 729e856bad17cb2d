import { CloudWatchClient, type MetricDatum, PutMetricDataCommand } from "@aws-sdk/client-cloudwatch";
import type { FleetMetric } from "../fleet/metrics.ts";

/** Values that one datum may hold. */
const VALUES_AT_ONCE = 150;
/** Of the 1,000 that a call may hold: with all their values they stay below its 1 MB. */
const DATA_AT_ONCE = 250;

/** CloudWatch. */
export class Metrics {
  readonly #cloudwatch = new CloudWatchClient({});

  /** Publishes each metric with the values of all hosts at one moment, so that CloudWatch knows sum, average and extremes. */
  async publish(metrics: readonly FleetMetric[], at: Date): Promise<void> {
    for (const Namespace of new Set(metrics.map(({ namespace }) => namespace))) {
      const data = metrics.filter(({ namespace }) => namespace === Namespace).flatMap((metric) => dataOf(metric, at));
      for (let start = 0; start < data.length; start += DATA_AT_ONCE) {
        const MetricData = data.slice(start, start + DATA_AT_ONCE);
        await this.#cloudwatch.send(new PutMetricDataCommand({ Namespace, MetricData }));
      }
    }
  }
}

function dataOf({ name, unit, dimension, values }: FleetMetric, at: Date): MetricDatum[] {
  const data: MetricDatum[] = [];
  for (let start = 0; start < values.length; start += VALUES_AT_ONCE) {
    data.push({
      MetricName: name,
      Unit: unit,
      Timestamp: at,
      Dimensions: [{ Name: dimension.name, Value: dimension.value }],
      Values: values.slice(start, start + VALUES_AT_ONCE),
    });
  }
  return data;
}
