import { PutObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { GetCallerIdentityCommand, STSClient } from "@aws-sdk/client-sts";
import { KEYS } from "../../contract/names.ts";
import type { StepName } from "../../contract/steps.ts";
import type { Config } from "./config.ts";

const ATTEMPT_MS = 5_000;
const TOTAL_MS = 20_000;

export interface UploadTarget {
  readonly bucket: string;
  readonly runId: string;
  readonly step: StepName;
  readonly attempt: number;
  readonly region: string;
}

/**
 * Puts the full report under the host's own prefix; the prefix is what STS says the caller is, so that it always fits the
 * instance role's rule. Credentials come by the SDK's own chain, on an instance from its role.
 * @param render the report's text, given the key under which it will lie
 * @returns that key
 * @throws Error of the SDK, within 20 seconds
 */
export async function uploadReport(
  target: UploadTarget,
  config: Pick<Config, "AWS_ENDPOINT_URL" | "AWS_EC2_METADATA_SERVICE_ENDPOINT">,
  render: (key: string) => string,
): Promise<string> {
  if (config.AWS_EC2_METADATA_SERVICE_ENDPOINT !== undefined) {
    // The SDK's chain takes this from the environment alone.
    process.env.AWS_EC2_METADATA_SERVICE_ENDPOINT = config.AWS_EC2_METADATA_SERVICE_ENDPOINT;
  }
  const abortSignal = AbortSignal.timeout(TOTAL_MS);
  const client = {
    region: target.region,
    maxAttempts: 3,
    requestHandler: { requestTimeout: ATTEMPT_MS, connectionTimeout: ATTEMPT_MS },
    ...(config.AWS_ENDPOINT_URL === undefined ? {} : { endpoint: config.AWS_ENDPOINT_URL }),
  };
  const sts = new STSClient(client);
  const s3 = new S3Client({ ...client, forcePathStyle: config.AWS_ENDPOINT_URL !== undefined });
  try {
    const { UserId } = await sts.send(new GetCallerIdentityCommand({}), { abortSignal });
    if (UserId === undefined) throw new Error("STS did not say who this host is");
    const key = KEYS.hostReport(UserId, target.runId, target.step, target.attempt);
    const put = new PutObjectCommand({
      Bucket: target.bucket,
      Key: key,
      Body: render(key),
      ContentType: "application/json",
    });
    await s3.send(put, { abortSignal });
    return key;
  } finally {
    sts.destroy();
    s3.destroy();
  }
}
