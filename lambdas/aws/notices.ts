import { PublishCommand, SNSClient } from "@aws-sdk/client-sns";
import type { Notice } from "../fleet/notice.ts";

/** Tells people. */
export class Notices {
  readonly #sns = new SNSClient({});

  /** @returns the message's id */
  async publish(topicArn: string, { subject, body }: Notice): Promise<string> {
    const answer = await this.#sns.send(new PublishCommand({ TopicArn: topicArn, Subject: subject, Message: body }));
    return answer.MessageId ?? "";
  }
}
