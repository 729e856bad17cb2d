import { randomUUID } from "node:crypto";
import { z } from "zod";
import { AwsError } from "../aws-error.ts";
import { on, operation } from "../protocol/call.ts";
import type { AccessRequest, Service } from "../protocol/request.ts";

/** A message as it was published. */
export interface PublishedMessage {
  readonly messageId: string;
  readonly topicArn: string;
  readonly subject: string | null;
  readonly message: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly at: Date;
}

const Publish = z.strictObject({
  TopicArn: z.string(),
  Message: z.string().min(1),
  Subject: z.string().optional(),
  MessageAttributes: z.record(z.string(), z.object({ DataType: z.string(), StringValue: z.string() })).optional(),
});
const Topic = z.strictObject({ TopicArn: z.string() });
const LONGEST_SUBJECT = 100;
const LARGEST_MESSAGE_BYTES = 262_144;

/** The topics of the account. What is published stays readable for whoever runs the stack; nothing is sent anywhere. */
export class Topics implements Service {
  readonly name = "sns";
  readonly messages: PublishedMessage[] = [];
  readonly operations: Service["operations"];

  /** @param arns the topics that exist */
  constructor(arns: readonly string[], now: () => Date) {
    const existing = (arn: string) => {
      if (!arns.includes(arn)) throw new AwsError("NotFound", "Topic does not exist", { status: 404 });
      return arn;
    };
    this.operations = {
      ListTopics: operation(z.strictObject({ NextToken: z.string().optional() }), () => ({
        Topics: arns.map((TopicArn) => ({ TopicArn })),
      })),
      GetTopicAttributes: operation(Topic, ({ TopicArn }) => ({
        Attributes: new Map(Object.entries(attributesOf(existing(TopicArn)))),
      })),
      Publish: operation(Publish, ({ TopicArn, Message, Subject, MessageAttributes = {} }) => {
        if (Subject !== undefined && !/^[\x20-\x7e]{1,}$/.test(Subject.slice(0, LONGEST_SUBJECT + 1))) {
          throw new AwsError("InvalidParameter", "Invalid parameter: Subject");
        }
        if (Subject !== undefined && Subject.length > LONGEST_SUBJECT) {
          throw new AwsError("InvalidParameter", "Invalid parameter: Subject");
        }
        if (Buffer.byteLength(Message) > LARGEST_MESSAGE_BYTES)
          throw new AwsError("InvalidParameter", "Invalid parameter: Message too long");
        const MessageId = randomUUID();
        this.messages.push({
          messageId: MessageId,
          topicArn: existing(TopicArn),
          subject: Subject ?? null,
          message: Message,
          attributes: Object.fromEntries(
            Object.entries(MessageAttributes).map(([name, { StringValue }]) => [name, StringValue]),
          ),
          at: now(),
        });
        return { MessageId };
      }),
    };
  }

  access(name: string, input: unknown): readonly AccessRequest[] {
    return [on(`sns:${name}`, z.object({ TopicArn: z.string().optional() }).parse(input).TopicArn ?? "*")];
  }
}

function attributesOf(arn: string): Record<string, string> {
  return {
    TopicArn: arn,
    DisplayName: "",
    Owner: arn.split(":")[4] ?? "",
    SubscriptionsConfirmed: "0",
    SubscriptionsPending: "0",
    SubscriptionsDeleted: "0",
  };
}
