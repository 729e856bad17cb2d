import { CfnOutput, Stack } from "aws-cdk-lib";
import type { Construct } from "constructs";
import { toEnvironment } from "../contract/environment.ts";
import type { FleetConfig } from "./config.ts";
import { CommandEvents } from "./constructs/command-events.ts";
import { DataBucket } from "./constructs/data-bucket.ts";
import { DeadLetters } from "./constructs/dead-letters.ts";
import { FleetFunctions } from "./constructs/fleet-functions.ts";
import { FleetPermissions } from "./constructs/fleet-permissions.ts";
import { HostPolicy } from "./constructs/host-policy.ts";
import { NotificationTopic } from "./constructs/notification-topic.ts";
import { StateMachines } from "./constructs/state-machines.ts";
import { StepDocuments } from "./constructs/step-documents.ts";

/** Everything AutoPatch has in one account and Region. Only wires. */
export class AutoPatchStack extends Stack {
  constructor(scope: Construct, id: string, { config }: { readonly config: FleetConfig }) {
    super(scope, id, { description: `AutoPatch, fleet ${config.fleet}` });

    const { bucket, key } = new DataBucket(this, "Data", config);
    const { topic } = new NotificationTopic(this, "Notifications", { key });
    const documents = new StepDocuments(this, "Documents", { prefix: config.documentPrefix });
    const { queue: deadLetters } = new DeadLetters(this, "DeadLetters");
    const { policy } = new HostPolicy(this, "Host", { bucket, key });

    const { byName: functions } = new FleetFunctions(this, "Functions", {
      ...config,
      deadLetters,
      environment: toEnvironment({ ...config, bucket: bucket.bucketName, topicArn: topic.topicArn }),
    });
    new FleetPermissions(this, "Permissions", {
      ...config,
      functions,
      bucket,
      key,
      topic,
      documentArns: documents.arns,
    });
    new CommandEvents(this, "CommandEvents", {
      onEvent: functions["on-event"],
      deadLetters,
      documentNames: Object.values(documents.names),
    });
    const machines = new StateMachines(this, "Workflows", { ...config, functions, bucket, key });

    for (const [name, value, description] of [
      ["PatchFleetArn", machines.patchFleet.stateMachineArn, "Start it to patch the fleet; the input may be {}"],
      ["BucketName", bucket.bucketName, "Plans, results and reports: runs/<execution name>/report.html"],
      ["TopicArn", topic.topicArn, "Subscribe to hear how runs end"],
      ["HostPolicyArn", policy.managedPolicyArn, "Attach to the instance roles of the fleet"],
    ] as const) {
      new CfnOutput(this, name, { value, description });
    }
  }
}
