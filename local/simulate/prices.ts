import { sum, type Tally } from "./tally.ts";

/** Dollars for each unit. */
export interface Prices {
  readonly region: string;
  readonly transition: number;
  readonly lambdaRequest: number;
  readonly lambdaGbSecond: number;
  readonly s3Write: number;
  readonly s3Read: number;
  readonly logByte: number;
  readonly message: number;
  readonly metricCall: number;
}

/**
 * List prices without a free tier, as published on aws.amazon.com/…/pricing in 2026-01: Step Functions Standard $0.025 per 1,000 state
 * transitions; Lambda on arm64 $0.20 per million requests and $0.0000133334 a GB-second; S3 Standard $0.005 per 1,000 PUT or LIST and
 * $0.0004 per 1,000 GET; CloudWatch Logs by the GB ingested; SNS $0.50 per million; PutMetricData $0.01 per 1,000. Run Command on EC2 and
 * the events of AWS services cost nothing.
 */
const COMMON = {
  transition: 0.025 / 1_000,
  lambdaRequest: 0.2 / 1_000_000,
  lambdaGbSecond: 0.0000133334,
  s3Write: 0.005 / 1_000,
  s3Read: 0.0004 / 1_000,
  message: 0.5 / 1_000_000,
  metricCall: 0.01 / 1_000,
};
export const PRICES = {
  "eu-west-1": { ...COMMON, region: "eu-west-1", logByte: 0.57 / 1e9 },
  "us-east-1": { ...COMMON, region: "us-east-1", logByte: 0.5 / 1e9 },
} as const satisfies Record<string, Prices>;

/** Dollars by service, what the hosts themselves put into S3 apart. Pure. */
export function costs(
  tally: Tally,
  prices: Prices,
): { readonly run: Readonly<Record<string, number>>; readonly hosts: number } {
  const calls = (name: string) => tally.calls.get(name) ?? 0;
  const writes = calls("S3.PutObject") + calls("S3.ListObjectsV2");
  return {
    run: {
      "Step Functions": tally.transitions * prices.transition,
      Lambda: sum([...tally.invocations.values()]) * prices.lambdaRequest + tally.gbSeconds * prices.lambdaGbSecond,
      S3: writes * prices.s3Write + calls("S3.GetObject") * prices.s3Read,
      "CloudWatch Logs": tally.logBytes * prices.logByte,
      CloudWatch: calls("CloudWatch.PutMetricData") * prices.metricCall,
      SNS: calls("SNS.Publish") * prices.message,
    },
    hosts: tally.hostSteps * prices.s3Write,
  };
}
