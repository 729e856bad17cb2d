import { CloudWatchClient, PutMetricDataCommand } from "@aws-sdk/client-cloudwatch";
import type { FleetMetric } from "../fleet/metrics.ts";

/** Values that one datum may hold. */
const VALUES_AT_ONCE = 150;

/** CloudWatch. */
export class Metrics {
  readonly #cloudwatch = new CloudWatchClient({});

  /** Publishes each metric with the values of all hosts at one moment, so that CloudWatch knows sum, average and extremes. */
  async publish(metrics: readonly FleetMetric[], at: Date): Promise<void> {
    for (const { namespace, name, unit, dimension, values } of metrics) {
      for (let start = 0; start < values.length; start += VALUES_AT_ONCE) {
        const MetricData = [
          {
            MetricName: name,
            Unit: unit,
            Timestamp: at,
            Dimensions: [{ Name: dimension.name, Value: dimension.value }],
            Values: values.slice(start, start + VALUES_AT_ONCE),
          },
        ];
        await this.#cloudwatch.send(new PutMetricDataCommand({ Namespace: namespace, MetricData }));
      }
    }
  }
}
