import { Duration, Stack } from "aws-cdk-lib";
import { PolicyStatement } from "aws-cdk-lib/aws-iam";
import {
  Choice,
  Condition,
  type IChainable,
  Map as InlineMap,
  JitterType,
  Pass,
  ProvideItems,
  Wait,
  WaitTime,
} from "aws-cdk-lib/aws-stepfunctions";
import { CallAwsService } from "aws-cdk-lib/aws-stepfunctions-tasks";
import type { Construct } from "constructs";
import type { TargetTag } from "../../contract/environment.ts";
import { DEFAULT_TRIAL_SECONDS } from "../../contract/request.ts";
import { commandSeconds, STEP_TIMEOUT_SECONDS } from "../../contract/steps.ts";
import type { FleetConfig } from "../config.ts";

/** Seconds after which a host that nobody committed has gone back by itself, where it can: its trial, and its boot and rollback. Pure. */
export function trialEndsSeconds({ policy }: Pick<FleetConfig, "policy">): number {
  return (policy.trialSeconds ?? DEFAULT_TRIAL_SECONDS) + STEP_TIMEOUT_SECONDS.reboot;
}

/** Seconds that a batch may take longer for hosts that get their root volumes back. Pure. */
export function restoreSeconds(config: Pick<FleetConfig, "policy" | "rootVolumes" | "sending">): number {
  if (config.rootVolumes !== "replace") return 0;
  const asked = commandSeconds("rollback") + config.sending.deliverySeconds + config.sending.slackSeconds;
  return trialEndsSeconds(config) + MOST_LOOKS * LOOK_EVERY.toSeconds() + 2 * asked;
}

export interface RootVolumesProps {
  readonly fleet: string;
  /** Instances that carry it may be snapshotted and restored, and no others. */
  readonly tag: TargetTag;
}

/** On snapshots: whose they are, of which run, and of which instance. */
export const SNAPSHOT_TAGS = { fleet: "AutoPatchFleet", run: "AutoPatchRun", instance: "AutoPatchInstance" } as const;

/** Hosts that EC2 is asked about side by side: it takes few snapshots a second. */
const AT_ONCE = 5;
const LOOK_EVERY = Duration.seconds(60);
/** Looks for the end of a replacement and the boot after it: minutes, as a rule. */
const MOST_LOOKS = 40;

/**
 * Begins a snapshot of the root volume of each host in `$hosts` that is an instance with one on EBS: `$snapshots` then lists
 * `{ instanceId, snapshotId }` of those that could be begun. Whoever is not listed is not changed.
 */
export function takeSnapshots(scope: Construct, { fleet, tag }: RootVolumesProps, onward: IChainable): IChainable {
  const { resource, conditions } = arnsOf(scope, tag);
  const none = Pass.jsonata(scope, "NoSnapshot", {
    comment: "The execution's history says why; its host is not asked to change.",
    outputs: {},
  });
  // One by one: fifty descriptions may be more than a state can hold. By filter: an id that is gone is no error then.
  const describe = call(scope, "DescribeRoot", {
    action: "describeInstances",
    parameters: { Filters: [{ Name: "instance-id", Values: ["{% $states.input %}"] }] },
    iamResources: ["*"],
    assign: { host: "{% $states.input %}", root: ROOT },
  });
  const snapshot = call(scope, "Snapshot", {
    action: "createSnapshots",
    parameters: {
      Description: "{% 'AutoPatch ' & $item.runId & ': before the change of ' & $host %}",
      InstanceSpecification: { InstanceId: "{% $host %}", ExcludeDataVolumeIds: "{% $root.dataVolumes %}" },
      TagSpecifications: [
        {
          ResourceType: "snapshot",
          Tags: [
            { Key: SNAPSHOT_TAGS.fleet, Value: fleet },
            { Key: SNAPSHOT_TAGS.run, Value: "{% $item.runId %}" },
            { Key: SNAPSHOT_TAGS.instance, Value: "{% $host %}" },
          ],
        },
      ],
    },
    iamResources: [resource("volume/*")],
    additionalIamStatements: [
      statement("SnapshotOfHosts", "ec2:CreateSnapshots", resource("instance/*"), conditions),
      statement("SnapshotIsOurs", "ec2:CreateSnapshots", snapshotArn(scope), {
        StringEquals: { [`aws:RequestTag/${SNAPSHOT_TAGS.fleet}`]: fleet },
      }),
      statement("TagSnapshot", "ec2:CreateTags", snapshotArn(scope), {
        StringEquals: { "ec2:CreateAction": "CreateSnapshots" },
      }),
    ],
    outputs: { instanceId: "{% $host %}", snapshotId: "{% $states.result.Snapshots[0].SnapshotId %}" },
  });
  for (const task of [describe, snapshot]) task.addCatch(none, { outputs: {} });
  describe.next(
    Choice.jsonata(scope, "HasRoot").when(Condition.jsonata("{% $root != null %}"), snapshot).otherwise(none),
  );
  const take = InlineMap.jsonata(scope, "TakeSnapshots", {
    items: ProvideItems.jsonata("{% [$hosts[$substring($, 0, 2) = 'i-']] %}"),
    maxConcurrency: AT_ONCE,
    outputs: {},
    assign: { snapshots: "{% [$states.result[$exists(snapshotId)]] %}" },
  });
  take.itemProcessor(describe);
  take.addCatch(onward, { outputs: {} });
  take.next(onward);
  return take;
}

/** Of an instance with its root volume on EBS, the volumes that are not it. */
const ROOT =
  "{% ( $found := $states.result.Reservations.Instances[RootDeviceType = 'ebs'][0];" +
  " $exists($found) ? { 'dataVolumes': [$found.BlockDeviceMappings[DeviceName != $found.RootDeviceName].Ebs.VolumeId] } : null ) %}";

/** There are lost hosts with a snapshot, and they are not all of a batch of several. */
export const MAY_BE_RESTORED =
  "{% $count($snapshots[instanceId in $lost]) > 0 and ($count($lost) < $count($item.instanceIds) or $count($lost) = 1) %}";

/**
 * Replaces the root volumes of the hosts in `$lost` of which `$snapshots` has one, and waits until they are up again: `$lost` then lists
 * those, `$replaced` what came of each. When a batch of several has gone silent as a whole nobody's volume is replaced: that is the network's
 * doing, or Systems Manager's, and not theirs. The old volumes stay, detached, for whoever wants to know what happened.
 */
export function replaceRoots(
  scope: Construct,
  { fleet, tag }: RootVolumesProps,
  onward: { readonly asked: IChainable; readonly nobody: IChainable },
): IChainable {
  const { resource, conditions } = arnsOf(scope, tag);
  const ended = Pass.jsonata(scope, "ReplacementEnded", {
    outputs: { instanceId: "{% $host.instanceId %}", snapshotId: "{% $host.snapshotId %}", state: "{% $state %}" },
  });
  const begin = Pass.jsonata(scope, "BeginReplacement", {
    assign: { host: "{% $states.input %}", state: "refused", looks: 0 },
  });
  const replace = call(scope, "Replace", {
    action: "createReplaceRootVolumeTask",
    parameters: {
      InstanceId: "{% $host.instanceId %}",
      SnapshotId: "{% $host.snapshotId %}",
      // A retried call finds the task that the first one began.
      ClientToken: "{% $host.snapshotId & '-' & $host.instanceId %}",
      DeleteReplacedRootVolume: false,
    },
    iamResources: [resource("volume/*"), resource("replace-root-volume-task/*")],
    additionalIamStatements: [
      statement("RestoreHosts", "ec2:CreateReplaceRootVolumeTask", resource("instance/*"), conditions),
      statement("RestoreFromOurs", "ec2:CreateReplaceRootVolumeTask", snapshotArn(scope), {
        StringEquals: { [`aws:ResourceTag/${SNAPSHOT_TAGS.fleet}`]: fleet },
      }),
    ],
    assign: {
      task: "{% $states.result.ReplaceRootVolumeTask.ReplaceRootVolumeTaskId %}",
      state: "unfinished",
    },
  });
  const wait = Wait.jsonata(scope, "WhileReplacing", { time: WaitTime.duration(LOOK_EVERY) });
  const look = call(scope, "LookReplaced", {
    action: "describeReplaceRootVolumeTasks",
    parameters: { ReplaceRootVolumeTaskIds: ["{% $task %}"] },
    iamResources: ["*"],
    assign: {
      state:
        "{% ( $now := $states.result.ReplaceRootVolumeTasks[0].TaskState; $now in ['succeeded', 'failed', 'failed-detached'] ? $now : 'unfinished' ) %}",
      looks: "{% $looks + 1 %}",
    },
  });
  // The volume is there before the host is: a command that comes too early would be refused, and that would be its answer.
  const up = Wait.jsonata(scope, "WhileBooting", { time: WaitTime.duration(LOOK_EVERY) });
  const online = call(scope, "LookOnline", {
    service: "ssm",
    action: "describeInstanceInformation",
    parameters: { Filters: [{ Key: "InstanceIds", Values: ["{% $host.instanceId %}"] }] },
    iamResources: ["*"],
    assign: {
      ping: "{% $count($states.result.InstanceInformationList) > 0 ? $states.result.InstanceInformationList[0].PingStatus : 'Unknown' %}",
      looks: "{% $looks + 1 %}",
    },
  });
  for (const task of [replace, look, online]) task.addCatch(ended, { outputs: {} });
  begin.next(replace).next(wait).next(look);
  look.next(
    Choice.jsonata(scope, "IsReplaced")
      .when(Condition.jsonata("{% $state = 'succeeded' %}"), up)
      .when(Condition.jsonata(`{% $state = 'unfinished' and $looks < ${MOST_LOOKS} %}`), wait)
      .otherwise(ended),
  );
  up.next(online).next(
    Choice.jsonata(scope, "IsOnline")
      .when(Condition.jsonata(`{% $ping != 'Online' and $looks < ${MOST_LOOKS} %}`), up)
      .otherwise(ended),
  );
  const map = InlineMap.jsonata(scope, "ReplaceRoots", {
    items: ProvideItems.jsonata("{% [$snapshots[instanceId in $lost]] %}"),
    maxConcurrency: AT_ONCE,
    outputs: {},
    assign: { replaced: "{% $states.result %}", lost: "{% [$states.result.instanceId] %}" },
  });
  map.itemProcessor(begin);
  map.addCatch(onward.nobody, { outputs: {} });
  map.next(onward.asked);
  return Choice.jsonata(scope, "StillLost").when(Condition.jsonata(MAY_BE_RESTORED), map).otherwise(onward.nobody);
}

interface CallProps {
  /** @default ec2 */
  readonly service?: "ec2" | "ssm";
  readonly action: string;
  readonly parameters: Readonly<Record<string, unknown>>;
  readonly iamResources: string[];
  readonly additionalIamStatements?: PolicyStatement[];
  readonly assign?: Readonly<Record<string, unknown>>;
  readonly outputs?: Readonly<Record<string, unknown>>;
}

/** A call that the state machine makes itself: no Lambda carries EC2's client. */
function call(
  scope: Construct,
  id: string,
  { service = "ec2", action, assign, outputs = {}, ...props }: CallProps,
): CallAwsService {
  const task = CallAwsService.jsonata(scope, id, {
    service,
    action,
    iamAction: `${service}:${action.charAt(0).toUpperCase()}${action.slice(1)}`,
    outputs,
    ...(assign === undefined ? {} : { assign: { ...assign } }),
    ...props,
    parameters: { ...props.parameters },
  });
  // The name under which Step Functions tells of whatever EC2 answers, throttling included. A snapshot more does no harm.
  task.addRetry({
    errors: ["Ec2.Ec2Exception", "Ec2.SdkClientException", "Ssm.SsmException", "Ssm.SdkClientException"],
    interval: Duration.seconds(5),
    backoffRate: 2,
    maxAttempts: 4,
    jitterStrategy: JitterType.FULL,
  });
  return task;
}

function arnsOf(scope: Construct, { key, value }: TargetTag) {
  return {
    resource: (name: string) => Stack.of(scope).formatArn({ service: "ec2", resource: name }),
    conditions: { StringEquals: { [`aws:ResourceTag/${key}`]: value } },
  };
}

/** Snapshots are nobody's until they are made: EC2 writes their ARNs without an account. */
function snapshotArn(scope: Construct): string {
  return Stack.of(scope).formatArn({ service: "ec2", account: "", resource: "snapshot/*" });
}

function statement(
  sid: string,
  action: string,
  resource: string,
  conditions: Record<string, unknown>,
): PolicyStatement {
  return new PolicyStatement({ sid, actions: [action], resources: [resource], conditions });
}
