import { PublishCommand, SNSClient } from "@aws-sdk/client-sns";
import type { Config } from "./config.ts";

const ATTEMPT_MS = 5_000;
const TOTAL_MS = 20_000;

/** A message to the subscribers of a topic. */
export interface Notice {
  /** Printable ASCII, at most 100 characters: SNS takes no others. */
  readonly subject: string;
  /** At most 256 KiB. */
  readonly text: string;
}

/**
 * Publishes to a topic, in its own Region, with the instance role's credentials, which the SDK asks of the instance's metadata
 * (version 2).
 * @returns the message's id
 * @throws Error of the SDK, within 20 seconds
 */
export async function publishToTopic(
  topicArn: string,
  config: Pick<Config, "AWS_ENDPOINT_URL" | "AWS_EC2_METADATA_SERVICE_ENDPOINT">,
  { subject, text }: Notice,
): Promise<string> {
  if (config.AWS_EC2_METADATA_SERVICE_ENDPOINT !== undefined) {
    // The SDK's chain takes this from the environment alone.
    process.env.AWS_EC2_METADATA_SERVICE_ENDPOINT = config.AWS_EC2_METADATA_SERVICE_ENDPOINT;
  }
  const client = new SNSClient({
    region: topicArn.split(":")[3] ?? "",
    maxAttempts: 3,
    requestHandler: { requestTimeout: ATTEMPT_MS, connectionTimeout: ATTEMPT_MS },
    ...(config.AWS_ENDPOINT_URL === undefined ? {} : { endpoint: config.AWS_ENDPOINT_URL }),
  });
  try {
    const publish = new PublishCommand({ TopicArn: topicArn, Subject: subject, Message: text });
    const { MessageId } = await client.send(publish, { abortSignal: AbortSignal.timeout(TOTAL_MS) });
    if (MessageId === undefined) throw new Error("SNS gave the message no id");
    return MessageId;
  } finally {
    client.destroy();
  }
}
