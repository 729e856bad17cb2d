import { CloudWatchClient, PutMetricDataCommand } from "@aws-sdk/client-cloudwatch";
import type { cloudWatchData } from "../telemetry/cloudwatch.ts";
import type { Config } from "./config.ts";

const ATTEMPT_MS = 5_000;
const TOTAL_MS = 20_000;

/** Where the metrics go, and under which dimension. */
export interface MetricsTarget {
  readonly region: string;
  readonly dimension: { readonly name: string; readonly value: string };
}

/**
 * Publishes metrics with the instance role's credentials, which the SDK asks of the instance's metadata (version 2).
 * @throws Error of the SDK, within 20 seconds
 */
export async function publishToCloudWatch(
  target: MetricsTarget,
  config: Pick<Config, "AWS_ENDPOINT_URL" | "AWS_EC2_METADATA_SERVICE_ENDPOINT">,
  metrics: ReturnType<typeof cloudWatchData>,
  at: Date,
): Promise<void> {
  if (config.AWS_EC2_METADATA_SERVICE_ENDPOINT !== undefined) {
    // The SDK's chain takes this from the environment alone.
    process.env.AWS_EC2_METADATA_SERVICE_ENDPOINT = config.AWS_EC2_METADATA_SERVICE_ENDPOINT;
  }
  const abortSignal = AbortSignal.timeout(TOTAL_MS);
  const client = new CloudWatchClient({
    region: target.region,
    maxAttempts: 3,
    requestHandler: { requestTimeout: ATTEMPT_MS, connectionTimeout: ATTEMPT_MS },
    ...(config.AWS_ENDPOINT_URL === undefined ? {} : { endpoint: config.AWS_ENDPOINT_URL }),
  });
  const Dimensions = [{ Name: target.dimension.name, Value: target.dimension.value }];
  try {
    for (const { namespace, data } of metrics) {
      const MetricData = data.map(({ name, value, unit }) => ({
        MetricName: name,
        Value: value,
        Unit: unit,
        Timestamp: at,
        Dimensions,
      }));
      await client.send(new PutMetricDataCommand({ Namespace: namespace, MetricData }), { abortSignal });
    }
  } finally {
    client.destroy();
  }
}
