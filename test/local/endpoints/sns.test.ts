import {
  GetTopicAttributesCommand,
  ListTopicsCommand,
  PublishCommand,
  SNSClient,
  SubscribeCommand,
} from "@aws-sdk/client-sns";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { answer, clientOptions } from "./clients.ts";
import { ACCOUNT, type Running, runEndpoint, TOPIC } from "./running.ts";

let running: Running;
beforeAll(async () => {
  running = await runEndpoint();
});
afterAll(async () => {
  await running.stop();
});

describe("SNS", () => {
  test("topics, and messages that stay readable here", async () => {
    const sns = new SNSClient(clientOptions(running));
    const published = await answer(
      sns.send(
        new PublishCommand({
          TopicArn: TOPIC,
          Subject: "AutoPatch: done",
          Message: "4 committed & 1 <rolled back>\nété",
          MessageAttributes: { severity: { DataType: "String", StringValue: "info" } },
        }),
      ),
    );
    expect(published).toEqual({ MessageId: expect.stringMatching(/^[0-9a-f-]{36}$/) });
    expect(running.topics.messages).toEqual([
      {
        messageId: published.MessageId,
        topicArn: TOPIC,
        subject: "AutoPatch: done",
        message: "4 committed & 1 <rolled back>\nété",
        attributes: { severity: "info" },
        at: expect.any(Date),
      },
    ]);
    expect(await answer(sns.send(new ListTopicsCommand({})))).toEqual({ Topics: [{ TopicArn: TOPIC }] });
    expect((await answer(sns.send(new GetTopicAttributesCommand({ TopicArn: TOPIC })))).Attributes).toEqual({
      TopicArn: TOPIC,
      DisplayName: "",
      Owner: ACCOUNT,
      SubscriptionsConfirmed: "0",
      SubscriptionsPending: "0",
      SubscriptionsDeleted: "0",
    });
    await expect(sns.send(new PublishCommand({ TopicArn: `${TOPIC}-none`, Message: "x" }))).rejects.toMatchObject({
      name: "NotFoundException",
    });
    await expect(
      sns.send(new PublishCommand({ TopicArn: TOPIC, Subject: "s".repeat(101), Message: "x" })),
    ).rejects.toMatchObject({
      name: "InvalidParameterException",
      message: "Invalid parameter: Subject",
    });
    await expect(sns.send(new SubscribeCommand({ TopicArn: TOPIC, Protocol: "email" }))).rejects.toMatchObject({
      message: "sns Subscribe is not done by the local stack",
    });
  });
});
