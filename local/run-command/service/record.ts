import type { StepResult } from "../document/run-document.ts";
import type { ManagedNode } from "./nodes.ts";
import type { Accepted } from "./send-request.ts";
import { type CommandDetail, countsAsError, hasEnded, type InvocationDetail, statusOf } from "./statuses.ts";

/** One command on one node. */
export interface Invocation {
  readonly node: ManagedNode;
  detail: InvocationDetail;
  /** Steps that have ended, in order. */
  steps: StepResult[];
  trace: string;
  /** Stops its script; set while it runs. */
  cancel: AbortController;
}

export interface CommandRecord {
  readonly id: string;
  readonly accepted: Accepted;
  readonly stepNames: readonly string[];
  readonly requestedAt: Date;
  readonly expiresAfter: Date;
  readonly invocations: readonly Invocation[];
  detail: CommandDetail;
}

const NO_LOGS = { CloudWatchLogGroupName: "", CloudWatchOutputEnabled: false };
const NO_NOTIFICATION = { NotificationArn: "", NotificationEvents: [], NotificationType: "" };
const NOT_RUN = -1;
const STDOUT_CHARACTERS = 24_000;
const STDERR_CHARACTERS = 8000;

/** A command in the shape of SendCommand and ListCommands. */
export function commandShape({ id, accepted, requestedAt, expiresAfter, invocations, detail }: CommandRecord) {
  const { request } = accepted;
  const count = (holds: (one: InvocationDetail) => boolean) => invocations.filter((one) => holds(one.detail)).length;
  return {
    CommandId: id,
    DocumentName: request.DocumentName,
    DocumentVersion: request.DocumentVersion ?? "$DEFAULT",
    Comment: request.Comment ?? "",
    ExpiresAfter: expiresAfter,
    Parameters: request.Parameters ?? {},
    InstanceIds: request.InstanceIds ?? [],
    Targets: request.Targets ?? [],
    RequestedDateTime: requestedAt,
    Status: statusOf(detail),
    StatusDetails: detail,
    OutputS3Region: "",
    OutputS3BucketName: "",
    OutputS3KeyPrefix: "",
    MaxConcurrency: request.MaxConcurrency ?? "50",
    MaxErrors: request.MaxErrors ?? "0",
    TargetCount: invocations.length,
    CompletedCount: count(hasEnded),
    ErrorCount: count(countsAsError),
    DeliveryTimedOutCount: count((one) => one === "DeliveryTimedOut"),
    ServiceRole: "",
    NotificationConfig: NO_NOTIFICATION,
    CloudWatchOutputConfig: NO_LOGS,
    TimeoutSeconds: accepted.timeoutSeconds,
  };
}

/** An invocation in the shape of ListCommandInvocations. */
export function invocationShape(command: CommandRecord, invocation: Invocation, details: boolean) {
  const { request } = command.accepted;
  return {
    CommandId: command.id,
    InstanceId: invocation.node.instanceId,
    InstanceName: invocation.node.computerName,
    Comment: request.Comment ?? "",
    DocumentName: request.DocumentName,
    DocumentVersion: request.DocumentVersion ?? "$DEFAULT",
    RequestedDateTime: command.requestedAt,
    Status: statusOf(invocation.detail),
    StatusDetails: invocation.detail,
    TraceOutput: invocation.trace,
    StandardOutputUrl: "",
    StandardErrorUrl: "",
    CommandPlugins: details ? command.stepNames.map((name) => pluginShape(name, invocation)) : [],
    ServiceRole: "",
    NotificationConfig: NO_NOTIFICATION,
    CloudWatchOutputConfig: NO_LOGS,
  };
}

function pluginShape(name: string, invocation: Invocation) {
  const step = invocation.steps.find((one) => one.name === name);
  const detail = pluginDetail(step, invocation);
  return {
    Name: name,
    Status: statusOf(detail),
    StatusDetails: detail,
    ResponseCode: step?.exitCode ?? NOT_RUN,
    ...(step?.startedAt ? { ResponseStartDateTime: step.startedAt } : {}),
    ...(step?.endedAt ? { ResponseFinishDateTime: step.endedAt } : {}),
    Output: step?.summary ?? "",
    StandardOutputUrl: "",
    StandardErrorUrl: "",
    OutputS3Region: "",
    OutputS3BucketName: "",
    OutputS3KeyPrefix: "",
  };
}

/** The service knows no skipped plugin: the agent's skipped is a form of success. */
function pluginDetail(step: StepResult | undefined, invocation: Invocation): InvocationDetail {
  if (step === undefined || step.status === "NotReported") {
    return invocation.detail === "Delayed" ? "Pending" : invocation.detail;
  }
  if (step.status === "Skipped") return "Success";
  return step.status === "TimedOut" ? "ExecutionTimedOut" : step.status;
}

/** An invocation in the shape of GetCommandInvocation; `stepName` is one of the document's. */
export function commandInvocationShape(command: CommandRecord, invocation: Invocation, stepName: string) {
  const { request } = command.accepted;
  const step = invocation.steps.find((one) => one.name === stepName);
  const started = step?.startedAt ?? null;
  const ended = step?.endedAt ?? null;
  const detail = command.stepNames.length === 1 ? invocation.detail : pluginDetail(step, invocation);
  return {
    CommandId: command.id,
    InstanceId: invocation.node.instanceId,
    Comment: request.Comment ?? "",
    DocumentName: request.DocumentName,
    DocumentVersion: request.DocumentVersion ?? "$DEFAULT",
    PluginName: stepName,
    ResponseCode: step?.exitCode ?? NOT_RUN,
    ExecutionStartDateTime: started?.toISOString() ?? "",
    ExecutionElapsedTime: started && ended ? `PT${(ended.getTime() - started.getTime()) / 1000}S` : "",
    ExecutionEndDateTime: ended?.toISOString() ?? "",
    Status: statusOf(detail),
    StatusDetails: detail,
    StandardOutputContent: (step?.stdout ?? "").slice(0, STDOUT_CHARACTERS),
    StandardOutputUrl: "",
    StandardErrorContent: (step?.stderr ?? "").slice(0, STDERR_CHARACTERS),
    StandardErrorUrl: "",
    CloudWatchOutputConfig: NO_LOGS,
  };
}
