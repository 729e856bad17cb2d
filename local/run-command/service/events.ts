import type { CommandRecord, Invocation } from "./record.ts";
import { statusOf } from "./statuses.ts";

/** An event as EventBridge delivers it. */
export interface CommandEvent {
  readonly version: "0";
  readonly id: string;
  readonly "detail-type":
    | "EC2 Command Status-change Notification"
    | "EC2 Command Invocation Status-change Notification";
  readonly source: "aws.ssm";
  readonly account: string;
  readonly time: string;
  readonly region: string;
  readonly resources: readonly string[];
  readonly detail: Readonly<Record<string, unknown>>;
}

/** What goes wrong with events, which the service sends at best effort. @default nothing */
export interface EventFaults {
  lose?(event: CommandEvent): boolean;
  /** Milliseconds by which an event is late. */
  delayMs?(event: CommandEvent): number;
  duplicate?(event: CommandEvent): boolean;
}

export interface EventPlace {
  readonly id: string;
  readonly account: string;
  readonly region: string;
  readonly time: Date;
}

/** The event of a command's new status. */
export function commandEvent(command: CommandRecord, place: EventPlace): CommandEvent {
  const { request } = command.accepted;
  const instances = command.invocations.map((one) => one.node.instanceId);
  return envelope("EC2 Command Status-change Notification", instances, place, {
    "command-id": command.id,
    "document-name": request.DocumentName,
    "expire-after": command.expiresAfter.toISOString(),
    parameters: request.Parameters ?? {},
    "requested-date-time": command.requestedAt.toISOString(),
    status: statusOf(command.detail),
  });
}

/** The event of an invocation's new status. */
export function invocationEvent(command: CommandRecord, invocation: Invocation, place: EventPlace): CommandEvent {
  const { instanceId } = invocation.node;
  return envelope("EC2 Command Invocation Status-change Notification", [instanceId], place, {
    "command-id": command.id,
    "document-name": command.accepted.request.DocumentName,
    "instance-id": instanceId,
    "requested-date-time": command.requestedAt.toISOString(),
    status: statusOf(invocation.detail),
  });
}

function envelope(
  detailType: CommandEvent["detail-type"],
  instanceIds: readonly string[],
  { id, account, region, time }: EventPlace,
  detail: CommandEvent["detail"],
): CommandEvent {
  return {
    version: "0",
    id,
    "detail-type": detailType,
    source: "aws.ssm",
    account,
    time: time.toISOString().replace(/\.\d+Z$/, "Z"),
    region,
    resources: instanceIds.map((instanceId) => `arn:aws:ec2:${region}:${account}:instance/${instanceId}`),
    detail,
  };
}
