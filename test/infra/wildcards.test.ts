import { afterAll, expect, test } from "vitest";
import { synthesised } from "./assembly.ts";

interface Statement {
  readonly Effect: string;
  readonly Action: string | readonly string[];
  readonly Resource?: unknown;
  readonly Principal?: unknown;
}

const OBJECTS = "objects are made at run time; the prefix is as far as their names are known";
const OWN = "the variable is the caller's own id: the prefix is one host's";
const DECIDED = "runs and plans are made at run time; the object is the caller's own, by its user id";
const HOSTS = "hosts come and go; the condition on the tag says which";
const VERSIONS = "versions of one of our own functions";
const EXECUTIONS = "executions are made at run time; the machine's name stands before the wildcard";
const ACTIVE_TRACING = "X-Ray knows no resources";
const READS = "Systems Manager knows no resource for these calls, which only read";
const OURS = "a snapshot has no name before it is made; the condition on its tag says whose it is";
const NAMESPACE = "CloudWatch knows no resource for PutMetricData; the condition holds it to AutoPatch's namespaces";

/**
 * Every wildcard that the template allows anything by, who has it, and why it cannot be a name. Statements that deny are left out: they
 * take away. One that is not here fails the test; so does a row that nobody needs any more.
 */
const LEFT: Readonly<Record<string, { readonly by: readonly string[]; readonly because: string }>> = {
  "s3:GetObject on bucket/runs/*": {
    by: [
      ...["askapproval", "assess", "dispatch", "gate", "notify", "ondecision", "onevent", "plan", "pool", "promote"],
      ...["report", "PatchFleet"],
    ],
    because: OBJECTS,
  },
  "s3:PutObject on bucket/runs/*": {
    by: ["askapproval", "assess", "dispatch", "gate", "ondecision", "onevent", "plan", "promote", "report"],
    because: OBJECTS,
  },
  "s3:GetObject on bucket/leases/*": { by: ["askapproval", "gate", "plan", "report"], because: OBJECTS },
  "s3:PutObject on bucket/leases/*": { by: ["askapproval", "gate", "plan", "report"], because: OBJECTS },
  "s3:GetObject on bucket/offered/*": { by: ["pool"], because: OBJECTS },
  "s3:GetObjectVersion on bucket/offered/*": { by: ["pool"], because: OBJECTS },
  "s3:PutObject on bucket/offered/${aws:userid}/*": { by: ["Host"], because: OWN },
  "s3:PutObject on bucket/pool/*": { by: ["pool"], because: OBJECTS },
  "s3:PutObject on bucket/fleet-locks/*": { by: ["promote"], because: OBJECTS },
  "s3:GetObject on decisions/approvals/*": { by: ["askapproval", "ondecision"], because: OBJECTS },
  "s3:GetObject on decisions/freeze/*": { by: ["askapproval", "gate", "ondecision"], because: OBJECTS },
  "s3:GetObject on decisions/stop/*": { by: ["askapproval", "gate", "ondecision"], because: OBJECTS },
  "s3:PutObject on decisions/approvals/*/${aws:userid}.json": { by: ["Approvers"], because: DECIDED },
  "s3:DeleteObject,s3:PutObject on decisions/freeze/*/${aws:userid}.json": { by: ["Operators"], because: DECIDED },
  "s3:DeleteObject,s3:PutObject on decisions/stop/*/${aws:userid}.json": { by: ["Operators"], because: DECIDED },
  "s3:PutObject on access logs/decisions/*": {
    by: ["AccessLogs"],
    because: "the log delivery service names what it writes",
  },
  "s3:PutObject on bucket/commands/*": { by: ["dispatch"], because: OBJECTS },
  "s3:GetObject on bucket/commands/*": { by: ["onevent"], because: OBJECTS },
  "s3:GetObject on bucket/hosts/*": { by: ["assess", "promote", "report"], because: OBJECTS },
  "s3:GetObject on bucket/compliance/*": { by: ["report"], because: OBJECTS },
  "s3:PutObject on bucket/compliance/*": { by: ["report"], because: OBJECTS },
  "s3:GetObject,s3:PutObject on bucket/hosts/${aws:userid}/*": { by: ["Host"], because: OWN },
  "s3:AbortMultipartUpload,s3:GetObject,s3:ListMultipartUploadParts,s3:PutObject on bucket/backups/${aws:userid}/*": {
    by: ["Host"],
    because: OWN,
  },
  "s3:GetObject on bucket/pool/*": { by: ["pool", "Host"], because: OBJECTS },
  "s3:GetObject on bucket/fleet-locks/*": { by: ["pool", "promote", "Host"], because: OBJECTS },
  "s3:GetObject on bucket/backups/*": {
    by: ["Recovery"],
    because:
      "a host that takes another one's place reads its backups; nobody has this policy but for as long as that takes",
  },
  "s3:PutObject on access logs/*": { by: ["AccessLogs"], because: "the log delivery service names what it writes" },
  "ssm:SendCommand on ec2 instance/*": { by: ["dispatch", "frontdoor"], because: HOSTS },
  "ssm:SendCommand on ssm managed-instance/*": { by: ["dispatch", "frontdoor"], because: HOSTS },
  "ssm:PutComplianceItems on ec2 instance/*": { by: ["report"], because: HOSTS },
  "ssm:PutComplianceItems on ssm managed-instance/*": { by: ["report"], because: HOSTS },
  "autoscaling:DescribeAutoScalingGroups,autoscaling:DescribeAutoScalingInstances,ssm:DescribeInstanceInformation,tag:GetResources on *":
    { by: ["plan"], because: "these services know no resource for these calls, which only read" },
  "resource-groups:ListGroupResources on resource-groups group/*": {
    by: ["plan"],
    because: "the request of a run names the group",
  },
  "cloudwatch:DescribeAlarms on *": { by: ["gate"], because: "CloudWatch knows no resource for it; it only reads" },
  "ssm:DescribeInstanceInformation,ssm:GetCommandInvocation,ssm:ListCommandInvocations on *": {
    by: ["dispatch"],
    because: READS,
  },
  "ssm:GetCommandInvocation,ssm:ListCommandInvocations on *": { by: ["onevent"], because: READS },
  "cloudwatch:PutMetricData on *": { by: ["assess", "report", "Host"], because: NAMESPACE },
  "xray:PutTelemetryRecords,xray:PutTraceSegments on *": {
    by: [
      ...["askapproval", "assess", "dispatch", "frontdoor", "gate", "notify", "ondecision", "onevent", "plan", "pool"],
      ...["promote", "report", "startscheduled"],
    ],
    because: ACTIVE_TRACING,
  },
  "logs:CreateLogDelivery,logs:DeleteLogDelivery,logs:DescribeLogGroups,logs:DescribeResourcePolicies,logs:GetLogDelivery,logs:ListLogDeliveries,logs:PutResourcePolicy,logs:UpdateLogDelivery,xray:GetSamplingRules,xray:GetSamplingTargets,xray:PutTelemetryRecords,xray:PutTraceSegments on *":
    { by: ["PatchFleet"], because: "the delivery of logs and X-Ray know no resources" },
  "ec2:DescribeInstances,ec2:DescribeReplaceRootVolumeTasks,logs:CreateLogDelivery,logs:DeleteLogDelivery,logs:DescribeLogGroups,logs:DescribeResourcePolicies,logs:GetLogDelivery,logs:ListLogDeliveries,logs:PutResourcePolicy,logs:UpdateLogDelivery,ssm:DescribeInstanceInformation,xray:GetSamplingRules,xray:GetSamplingTargets,xray:PutTelemetryRecords,xray:PutTraceSegments on *":
    { by: ["PatchBatch"], because: "the same, and calls of EC2 and Systems Manager that only read" },
  "ec2:CreateSnapshots on ec2 instance/*": { by: ["PatchBatch"], because: HOSTS },
  "ec2:CreateSnapshots on ec2 volume/*": {
    by: ["PatchBatch"],
    because: "the instance says which volumes; its tag is asked for",
  },
  "ec2:CreateSnapshots on any snapshot/*": { by: ["PatchBatch"], because: OURS },
  "ec2:CreateTags on any snapshot/*": { by: ["PatchBatch"], because: "only while it is made, by the condition" },
  "ec2:CreateReplaceRootVolumeTask on ec2 instance/*": { by: ["PatchBatch"], because: HOSTS },
  "ec2:CreateReplaceRootVolumeTask on ec2 volume/*": {
    by: ["PatchBatch"],
    because: "EC2 makes the volume; the instance's tag is asked for",
  },
  "ec2:CreateReplaceRootVolumeTask on ec2 replace-root-volume-task/*": {
    by: ["PatchBatch"],
    because: "it has no name before it is made",
  },
  "ec2:CreateReplaceRootVolumeTask on any snapshot/*": { by: ["PatchBatch"], because: OURS },
  "lambda:InvokeFunction on function dispatch:*": { by: ["PatchBatch"], because: VERSIONS },
  "lambda:InvokeFunction on function askapproval:*": { by: ["PatchFleet"], because: VERSIONS },
  "lambda:InvokeFunction on function gate:*": { by: ["PatchFleet"], because: VERSIONS },
  "lambda:InvokeFunction on function pool:*": { by: ["PatchFleet"], because: VERSIONS },
  "lambda:InvokeFunction on function promote:*": { by: ["PatchFleet"], because: VERSIONS },
  "lambda:InvokeFunction on function assess:*": { by: ["PatchFleet"], because: VERSIONS },
  "lambda:InvokeFunction on function notify:*": { by: ["PatchFleet"], because: VERSIONS },
  "lambda:InvokeFunction on function plan:*": { by: ["PatchFleet"], because: VERSIONS },
  "lambda:InvokeFunction on function report:*": { by: ["PatchFleet"], because: VERSIONS },
  "states:DescribeExecution,states:StopExecution on execution of PatchBatch*": {
    by: ["PatchFleet"],
    because: EXECUTIONS,
  },
  "states:DescribeExecution,states:StopExecution on execution of PatchFleet:*": {
    by: ["PatchFleet"],
    because: EXECUTIONS,
  },
  "states:RedriveExecution on execution of PatchFleet/*:*": { by: ["PatchFleet"], because: EXECUTIONS },
  "secretsmanager:GetSecretValue on secret:slack-??????": {
    by: ["notify"],
    because: "six characters of Secrets Manager's own, which the secret's name does not tell; a whole ARN has none",
  },
  "kms:* on *": {
    by: ["Key", "FleetLocksKey"],
    because:
      "in a key's own policy `*` is the key; it lets the account's IAM policies decide, as AWS has it by default",
  },
  "kms:Decrypt,kms:GenerateDataKey* on *": {
    by: ["Key"],
    because: "the key itself, for this stack's alarms: the documented pair for a topic's publishers",
  },
};

const stack = synthesised({ slackSecret: "slack", rootVolumes: "replace" });
afterAll(() => stack.remove());

test("every wildcard that is left has its reason, and every reason its wildcard", () => {
  const found: Record<string, string[]> = {};
  for (const [id, { Properties }] of Object.entries(stack.resources)) {
    for (const statement of statementsOf(Properties ?? {})) {
      for (const resource of [statement.Resource ?? "*"].flat().map(textOf)) {
        const actions = [statement.Action].flat().join();
        if (!/[*?]/.test(actions + resource)) continue;
        const key = `${actions} on ${resource}`;
        const holders = found[key] ?? [];
        found[key] = holders.includes(holderOf(id)) ? holders : [...holders, holderOf(id)];
      }
    }
  }
  const sorted = (lists: Record<string, readonly string[]>) =>
    Object.fromEntries(Object.entries(lists).map(([key, by]) => [key, [...by].sort()]));

  expect(sorted(found)).toEqual(sorted(Object.fromEntries(Object.entries(LEFT).map(([key, { by }]) => [key, by]))));
});

test("nobody is trusted by a wildcard", () => {
  const anybody = Object.entries(stack.resources).flatMap(([id, { Properties }]) =>
    statementsOf(Properties ?? {})
      .filter(({ Principal }) => JSON.stringify(Principal ?? "").includes("*"))
      .map(() => id),
  );

  expect(anybody).toEqual([]);
});

/** What a resource's policies allow: who may assume a role, what an identity may do, what may be done to the resource. */
function statementsOf(properties: Readonly<Record<string, unknown>>): Statement[] {
  const inline = (properties.Policies ?? []) as { PolicyDocument: unknown }[];
  const documents = [
    ...["PolicyDocument", "KeyPolicy"].map((name) => properties[name]),
    ...inline.map(({ PolicyDocument }) => PolicyDocument),
  ] as ({ Statement: Statement[] } | undefined)[];
  const trusted = properties.AssumeRolePolicyDocument as { Statement: Statement[] } | undefined;
  // A trust policy has no resource: it is the role itself.
  const trust = (trusted?.Statement ?? []).map((statement) => ({ ...statement, Resource: "the role" }));
  return [...documents.flatMap((document) => document?.Statement ?? []), ...trust].filter(
    ({ Effect }) => Effect === "Allow",
  );
}

function holderOf(id: string): string {
  const own =
    /^Functions([a-z]+)role|^Workflows(PatchFleet|PatchBatch)|^Data(Key|AccessLogs|Bucket)|^Host(Recovery)|^Decisions(Approvers|Operators)|^(FleetLocksKey)/.exec(
      id,
    );
  return own?.slice(1).find((part) => part !== undefined) ?? (id.startsWith("HostPolicy") ? "Host" : id);
}

/** A resource in short: hashes of logical ids and what every ARN begins with say nothing. */
function textOf(value: unknown): string {
  return flat(value)
    .replace(/^<DataBucket\w+\.Arn>/, "bucket")
    .replace(/^<DecisionsBucket\w+\.Arn>/, "decisions")
    .replace(/^<DataAccessLogs\w+\.Arn>/, "access logs")
    .replace(/^<Functions([a-z]+)\w{8}\.Arn>/, "function $1")
    .replace(/^arn:<AWS::Partition>:ec2:<AWS::Region>::snapshot\/\*/, "any snapshot/*")
    .replace(/^arn:<AWS::Partition>:(ec2|ssm|resource-groups):<AWS::Region>:<AWS::AccountId>:/, "$1 ")
    .replace(/^arn:<AWS::Partition>:\w+:<AWS::Region>:<AWS::AccountId>:/, "")
    .replace(/execution:.*"Workflows(PatchFleet|PatchBatch)\w+"\}\]\}\]\}/, "execution of $1");
}

function flat(value: unknown): string {
  if (typeof value === "string") return value;
  const [key, argument] = Object.entries(value as object)[0] as [string, unknown];
  if (key === "Fn::Join") return (argument as [string, unknown[]])[1].map(flat).join("");
  if (key === "Fn::GetAtt") return `<${(argument as string[]).join(".")}>`;
  return key === "Ref" ? `<${String(argument)}>` : JSON.stringify(value);
}
