import { S3Client } from "@aws-sdk/client-s3";
import { GetCallerIdentityCommand, STSClient } from "@aws-sdk/client-sts";
import type { Cloud } from "./cloud.ts";

/** S3 as a host reaches it, with the credentials of its role. */
export interface Storage {
  readonly s3: S3Client;
  /** `aws:userid` of this host: role id and instance id. @throws Error of the SDK */
  userId(): Promise<string>;
  close(): void;
}

const REQUEST_MS = 120_000;
const CONNECT_MS = 5_000;
/** The SDK waits between attempts, at random up to a bound that doubles: a fleet that is throttled does not come back as one. */
const ATTEMPTS = 6;

/** How often one call is tried, and how long each time. */
export interface Patience {
  readonly attempts: number;
  readonly requestMs: number;
}

/** @param patience @default six attempts of at most two minutes */
export function openStorage(
  { region, config }: Cloud,
  patience: Patience = { attempts: ATTEMPTS, requestMs: REQUEST_MS },
): Storage {
  if (config.AWS_EC2_METADATA_SERVICE_ENDPOINT !== undefined) {
    // The SDK's chain takes this from the environment alone.
    process.env.AWS_EC2_METADATA_SERVICE_ENDPOINT = config.AWS_EC2_METADATA_SERVICE_ENDPOINT;
  }
  const client = {
    region,
    maxAttempts: patience.attempts,
    requestHandler: { requestTimeout: patience.requestMs, connectionTimeout: CONNECT_MS },
    ...(config.AWS_ENDPOINT_URL === undefined ? {} : { endpoint: config.AWS_ENDPOINT_URL }),
  };
  const sts = new STSClient(client);
  const s3 = new S3Client({ ...client, forcePathStyle: config.AWS_ENDPOINT_URL !== undefined });
  return {
    s3,
    userId: async () => {
      const { UserId } = await sts.send(new GetCallerIdentityCommand({}));
      if (UserId === undefined) throw new Error("STS did not say who this host is");
      return UserId;
    },
    close: () => {
      sts.destroy();
      s3.destroy();
    },
  };
}
