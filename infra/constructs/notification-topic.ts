import { Stack } from "aws-cdk-lib";
import { PolicyStatement, ServicePrincipal } from "aws-cdk-lib/aws-iam";
import type { Key } from "aws-cdk-lib/aws-kms";
import { Topic } from "aws-cdk-lib/aws-sns";
import { Construct } from "constructs";
import { alarmArns } from "./fleet-alarms.ts";

/** Tells people how a run ended, and of alarms. Subscriptions are the user's. */
export class NotificationTopic extends Construct {
  readonly topic: Topic;

  constructor(scope: Construct, id: string, { key }: { readonly key: Key }) {
    super(scope, id);
    this.topic = new Topic(this, "Topic", { masterKey: key, enforceSSL: true, displayName: "AutoPatch" });
    // An alarm has no role: what it may do stands with the topic and with the key, for the alarms of this stack alone.
    const alarms = {
      principals: [new ServicePrincipal("cloudwatch.amazonaws.com")],
      conditions: {
        StringEquals: { "aws:SourceAccount": Stack.of(this).account },
        ArnLike: { "aws:SourceArn": alarmArns(Stack.of(this)) },
      },
    };
    this.topic.addToResourcePolicy(
      new PolicyStatement({
        sid: "AlarmsPublish",
        actions: ["sns:Publish"],
        resources: [this.topic.topicArn],
        ...alarms,
      }),
    );
    key.addToResourcePolicy(
      // In a key's own policy `*` is the key.
      new PolicyStatement({
        sid: "AlarmsUseKey",
        actions: ["kms:Decrypt", "kms:GenerateDataKey*"],
        resources: ["*"],
        ...alarms,
      }),
    );
  }
}
