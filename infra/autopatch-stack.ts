import { CfnOutput, Stack } from "aws-cdk-lib";
import type { Construct } from "constructs";
import { toEnvironment } from "../contract/environment.ts";
import type { FleetConfig } from "./config.ts";
import { CommandDocuments } from "./constructs/command-documents.ts";
import { CommandEvents } from "./constructs/command-events.ts";
import { DataBucket } from "./constructs/data-bucket.ts";
import { DeadLetters } from "./constructs/dead-letters.ts";
import { DecisionEvents } from "./constructs/decision-events.ts";
import { DecisionsBucket } from "./constructs/decisions-bucket.ts";
import { FleetAlarms } from "./constructs/fleet-alarms.ts";
import { FleetDashboard } from "./constructs/fleet-dashboard.ts";
import { FleetFunctions } from "./constructs/fleet-functions.ts";
import { FleetPermissions } from "./constructs/fleet-permissions.ts";
import { FleetSchedules } from "./constructs/fleet-schedules.ts";
import { HostPolicy } from "./constructs/host-policy.ts";
import { NotificationTopic } from "./constructs/notification-topic.ts";
import { OperationDocuments } from "./constructs/operation-documents.ts";
import { SigningKey } from "./constructs/signing-key.ts";
import { StateMachines, stateMachineArn } from "./constructs/state-machines.ts";
import { restoreSeconds, trialEndsSeconds } from "./workflows/root-volumes.ts";

/** Everything AutoPatch has in one account and Region. Only wires. */
export class AutoPatchStack extends Stack {
  constructor(scope: Construct, id: string, { config }: { readonly config: FleetConfig }) {
    super(scope, id, { description: `AutoPatch, fleet ${config.fleet}` });

    const { bucket, key, accessLogs } = new DataBucket(this, "Data", config);
    const decisions = new DecisionsBucket(this, "Decisions", { accessLogs, ...config });
    const { topic } = new NotificationTopic(this, "Notifications", { key });
    const documents = new CommandDocuments(this, "Documents", { prefix: config.documentPrefix });
    const operations = new OperationDocuments(this, "Operations", { prefix: config.documentPrefix });
    const { queue: deadLetters } = new DeadLetters(this, "DeadLetters");
    const signingKey = new SigningKey(this, "FleetLocks");
    const { policy, recovery } = new HostPolicy(this, "Host", { bucket, key, topic, signingKey: signingKey.key });

    const { byName: functions } = new FleetFunctions(this, "Functions", {
      ...config,
      deadLetters,
      environment: toEnvironment({
        ...config,
        bucket: bucket.bucketName,
        topicArn: topic.topicArn,
        patchFleetArn: stateMachineArn(this, "PatchFleet"),
        fleetLock: { keyArn: signingKey.key.keyArn, validDays: config.fleetLockDays },
        decisionsBucket: decisions.bucket.bucketName,
        restoreSeconds: restoreSeconds(config),
      }),
    });
    new FleetPermissions(this, "Permissions", {
      ...config,
      functions,
      bucket,
      key,
      signingKey,
      topic,
      commandArns: documents.arns,
      operationArns: operations.arns,
      decisions: decisions.bucket,
      calendars: config.gates.calendars,
    });
    new CommandEvents(this, "CommandEvents", {
      onEvent: functions["on-event"],
      deadLetters,
      documentNames: Object.values(documents.names),
    });
    new DecisionEvents(this, "DecisionEvents", {
      onDecision: functions["on-decision"],
      deadLetters,
      bucket: decisions.bucket,
    });
    const machines = new StateMachines(this, "Workflows", {
      ...config,
      trialEndsSeconds: trialEndsSeconds(config),
      functions,
      bucket,
      key,
    });
    const { alarms } = new FleetAlarms(this, "Alarms", {
      fleet: config.fleet,
      topic,
      deadLetters,
      functions: Object.values(functions),
      diskUsageGigabytes: config.alarmDiskGigabytes,
      updateAgeDays: config.alarmUpdateDays,
    });
    if (config.dashboard)
      new FleetDashboard(this, "Monitoring", {
        fleet: config.fleet,
        alarms,
        patchFleet: machines.patchFleet,
        functions,
        deadLetters,
      });

    new FleetSchedules(this, "Schedules", {
      ...config,
      start: functions["start-scheduled"],
      deadLetters,
      patchFleet: machines.patchFleet,
    });

    for (const [name, value, description] of [
      ["PatchFleetArn", machines.patchFleet.stateMachineArn, "Start it to patch the fleet; the input may be {}"],
      ["FrontDoorName", functions["front-door"].functionName, 'Invoke it with {"instance_ids": […], "operation": "…"}'],
      ["BucketName", bucket.bucketName, "Plans, results and reports: runs/<execution name>/report.html"],
      [
        "DecisionsBucketName",
        decisions.bucket.bucketName,
        "Where people approve, stop and freeze: see docs/guides/running-a-fleet.md",
      ],
      ["ApproverPolicyArn", decisions.approverPolicy.managedPolicyArn, "Attach to who may approve or reject a plan"],
      [
        "OperatorPolicyArn",
        decisions.operatorPolicy.managedPolicyArn,
        "Attach to who may stop runs and freeze the fleet",
      ],
      ["TopicArn", topic.topicArn, "Subscribe to hear how runs end, and of alarms"],
      ["HostPolicyArn", policy.managedPolicyArn, "Attach to the instance roles of the fleet"],
      ["FleetLockKeyArn", signingKey.key.keyArn, "Its public key belongs on every host: docs/guides/fleet-lock.md"],
      [
        "RecoveryPolicyArn",
        recovery.managedPolicyArn,
        "Attach beside it, for as long as it takes, to the role of a host that fetches another one's backup",
      ],
    ] as const) {
      new CfnOutput(this, name, { value, description });
    }
  }
}
