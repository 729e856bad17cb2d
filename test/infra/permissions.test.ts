import { afterAll, expect, test } from "vitest";
import { synthesised } from "./assembly.ts";

interface Statement {
  readonly Sid?: string;
  readonly Action: string | readonly string[];
  readonly Resource: unknown;
  readonly Condition?: unknown;
}

const stack = synthesised({ documentPrefix: "Test-", tag: { key: "Patch", value: "yes" } });
afterAll(() => stack.remove());

/** Statements of a function's role, by Sid; those that CDK adds are told by their action. */
function statementsOf(name: string): Record<string, Omit<Statement, "Sid" | "Effect">> {
  const policies = stack.ofType("AWS::IAM::Policy").filter(([id]) => id.startsWith(`Functions${name}role`));
  const statements = policies.flatMap(
    ([, { Properties }]) => (Properties.PolicyDocument as { Statement: (Statement & { Effect: string })[] }).Statement,
  );
  return Object.fromEntries(
    statements.map(({ Sid, Effect: _, ...rest }) => [Sid ?? [rest.Action].flat().join(), rest]),
  );
}
const bucket =
  stack
    .ofType("AWS::S3::Bucket")
    .map(([id]) => id)
    .find((id) => id.startsWith("DataBucket")) ?? "";
const [[topic = ""] = []] = stack.ofType("AWS::SNS::Topic");
const objects = (prefix: string) => ({ "Fn::Join": ["", [{ "Fn::GetAtt": [bucket, "Arn"] }, `/${prefix}`]] });
const arn = (middle: string) => ({
  "Fn::Join": [
    "",
    [
      "arn:",
      { Ref: "AWS::Partition" },
      `:${middle.split("|")[0]}:`,
      { Ref: "AWS::Region" },
      ":",
      { Ref: "AWS::AccountId" },
      `:${middle.split("|")[1]}`,
    ],
  ],
});

test("dispatch may send our documents, and only to hosts that carry the tag", () => {
  const { SendOurDocuments, ToEnrolledHosts } = statementsOf("dispatch");

  expect(SendOurDocuments).toEqual({
    Action: "ssm:SendCommand",
    Resource: ["Apply", "Check", "Commit", "Prepare", "Rollback", "Upload"].map((step) =>
      arn(`ssm|document/Test-AutoPatch-${step}`),
    ),
  });
  expect(ToEnrolledHosts).toEqual({
    Action: "ssm:SendCommand",
    Resource: [arn("ec2|instance/*"), arn("ssm|managed-instance/*")],
    Condition: { StringEquals: { "ssm:resourceTag/Patch": "yes" } },
  });
});

test("the front door may send its own documents and no others, to the same hosts", () => {
  const { SendOurDocuments, ToEnrolledHosts } = statementsOf("frontdoor");
  const names = ["AuditReport", "AutoUpdate", "FullUpdate", "PublishMetrics", "RestoreTest", "Rollback", "ShowStatus"];
  const documents = [...names, "UploadBackups", "VerifySystem"].map((name) => `Test-AutoPatch-Run${name}`);
  expect(
    [SendOurDocuments?.Resource]
      .flat()
      .map((one) => JSON.stringify(one))
      .sort(),
  ).toEqual(documents.map((name) => JSON.stringify(arn(`ssm|document/${name}`))).sort());
  expect(ToEnrolledHosts).toEqual(statementsOf("dispatch").ToEnrolledHosts);
});

test("nobody else may send commands", () => {
  const senders = stack
    .ofType("AWS::IAM::Policy")
    .filter(([, resource]) => JSON.stringify(resource).includes("ssm:SendCommand"))
    .map(([id]) => id.slice(0, "Functionsdispatch".length));

  expect(senders).toEqual(["Functionsdispatch", "Functionsfrontdoo"]);
});

test.each([
  ["plan", ["leases/*", "runs/*"], ["leases/*", "runs/*"]],
  ["gate", ["leases/*", "runs/*"], ["leases/*", "runs/*"]],
  ["dispatch", ["runs/*"], ["commands/*", "runs/*"]],
  ["onevent", ["commands/*", "runs/*"], ["runs/*"]],
  ["assess", ["hosts/*", "runs/*"], ["runs/*"]],
  ["askapproval", ["leases/*", "runs/*"], ["leases/*", "runs/*"]],
  ["ondecision", ["runs/*"], ["runs/*"]],
  ["promote", ["fleet-locks/*", "hosts/*", "runs/*"], ["fleet-locks/*", "runs/*"]],
  ["pool", ["fleet-locks/*", "offered/*", "pool/*", "runs/*"], ["pool/*"]],
  ["report", ["compliance/*", "hosts/*", "leases/*", "runs/*"], ["compliance/*", "leases/*", "runs/*"]],
  ["notify", ["runs/*"], []],
])("%s reads and writes only under its prefixes", (name, get, put) => {
  const statements = Object.values(statementsOf(name)).filter(({ Action }) => JSON.stringify(Action).includes("s3:"));
  const on = (action: string) =>
    statements
      .filter(({ Action }) => Action === action)
      .flatMap(({ Resource }) => [Resource].flat())
      .filter((resource) => JSON.stringify(resource).includes(bucket));

  expect(on("s3:GetObject")).toEqual(get.map(objects));
  expect(on("s3:PutObject")).toEqual(put.map(objects));
  expect(JSON.stringify(statements)).not.toMatch(/s3:\*|DeleteObject/);
});

test("only the batch's own machine can be answered, and metrics only under the seed's names", () => {
  const { AnswerTokens } = statementsOf("onevent");
  const { PublishMetrics } = statementsOf("report");

  expect(AnswerTokens).toEqual({
    Action: "states:SendTaskSuccess",
    Resource: arn("states|stateMachine:AutoPatch-PatchBatch"),
  });
  expect(PublishMetrics).toEqual({
    Action: "cloudwatch:PutMetricData",
    Resource: "*",
    Condition: { StringEquals: { "cloudwatch:namespace": ["AutoPatch/Operations", "AutoPatch/Operations/Security"] } },
  });
});

test("compliance is told of hosts that carry the tag, and of no others", () => {
  const { TellCompliance } = statementsOf("report");

  expect(TellCompliance).toEqual({
    Action: "ssm:PutComplianceItems",
    Resource: [arn("ec2|instance/*"), arn("ssm|managed-instance/*")],
    Condition: { StringEquals: { "ssm:resourceTag/Patch": "yes" } },
  });
});

test("alarms of this stack, and no others, may publish to its topic and use its key for that", () => {
  const condition = {
    StringEquals: { "aws:SourceAccount": { Ref: "AWS::AccountId" } },
    ArnLike: { "aws:SourceArn": arn("cloudwatch|alarm:AutoPatch-*") },
  };
  const statement = (type: string, property: string, sid: string) =>
    stack
      .ofType(type)
      .flatMap(([, { Properties }]) => (Properties[property] as { Statement: Statement[] }).Statement)
      .find(({ Sid }) => Sid === sid);
  const alarms = { Effect: "Allow", Principal: { Service: "cloudwatch.amazonaws.com" }, Condition: condition };

  expect(statement("AWS::SNS::TopicPolicy", "PolicyDocument", "AlarmsPublish")).toEqual({
    Sid: "AlarmsPublish",
    Action: "sns:Publish",
    Resource: { Ref: topic },
    ...alarms,
  });
  expect(statement("AWS::KMS::Key", "KeyPolicy", "AlarmsUseKey")).toEqual({
    Sid: "AlarmsUseKey",
    Action: ["kms:Decrypt", "kms:GenerateDataKey*"],
    Resource: "*",
    ...alarms,
  });
});

test("a host has its own reports, backups, metrics and alerts, reads the fleet's packages and locks, and nothing else; another's backups only with the recovery policy", () => {
  const [document, recovery] = stack
    .ofType("AWS::IAM::ManagedPolicy")
    .filter(([id]) => id.startsWith("Host"))
    .map(([, { Properties }]) => Properties.PolicyDocument);
  const { Statement } = document as { Statement: Statement[] };

  expect(Statement.map(({ Sid, Action }) => [Sid, Action])).toEqual([
    ["OwnReports", ["s3:GetObject", "s3:PutObject"]],
    ["OwnBackups", ["s3:AbortMultipartUpload", "s3:GetObject", "s3:ListMultipartUploadParts", "s3:PutObject"]],
    ["ListOwnBackups", "s3:ListBucket"],
    ["FleetPackages", "s3:GetObject"],
    ["OfferPackages", "s3:PutObject"],
    ["FleetLockPublicKey", "kms:GetPublicKey"],
    ["KeyThroughS3AndSnsOnly", ["kms:Decrypt", "kms:GenerateDataKey"]],
    ["OwnMetrics", "cloudwatch:PutMetricData"],
    ["Alerts", "sns:Publish"],
  ]);
  expect(Statement[7]?.Condition).toEqual({
    StringEquals: { "cloudwatch:namespace": ["AutoPatch/Operations", "AutoPatch/Operations/Security"] },
  });
  expect(Statement[0]?.Resource).toEqual(objects("hosts/${aws:userid}/*"));
  expect(Statement[1]?.Resource).toEqual(objects("backups/${aws:userid}/*"));
  expect(Statement[2]?.Condition).toEqual({ StringLike: { "s3:prefix": "backups/${aws:userid}/*" } });
  expect((recovery as { Statement: Statement[] }).Statement).toEqual([
    { Sid: "ReadBackups", Effect: "Allow", Action: "s3:GetObject", Resource: objects("backups/*") },
    {
      Sid: "ListBackups",
      Effect: "Allow",
      Action: "s3:ListBucket",
      Resource: { "Fn::GetAtt": [bucket, "Arn"] },
      Condition: { StringLike: { "s3:prefix": "backups/*" } },
    },
  ]);
  expect(Statement[3]?.Resource).toEqual([objects("fleet-locks/*"), objects("pool/*")]);
  expect(Statement[6]?.Condition).toEqual({
    StringEquals: {
      "kms:ViaService": ["s3.", "sns."].map((service) => ({
        "Fn::Join": ["", [service, { Ref: "AWS::Region" }, ".amazonaws.com"]],
      })),
    },
  });
  expect(Statement[8]?.Resource).toEqual({ Ref: topic });
  expect(Statement[4]?.Resource).toEqual(objects("offered/${aws:userid}/*"));
});

test("only promote may sign, by its own policy and by the key's", () => {
  const [, signing] =
    stack.ofType("AWS::KMS::Key").find(([, { Properties }]) => Properties.KeyUsage === "SIGN_VERIFY") ?? [];
  const { Statement } = (signing?.Properties.KeyPolicy ?? { Statement: [] }) as { Statement: Statement[] };
  const signers = stack
    .ofType("AWS::IAM::Policy")
    .filter(([, resource]) => JSON.stringify(resource).includes("kms:Sign"))
    .map(([id]) => id);

  expect(signing).toMatchObject({ DeletionPolicy: "Retain", Properties: { KeySpec: "ECC_NIST_P256" } });
  expect(signers).toEqual([expect.stringMatching(/^Functionspromoterole/)]);
  expect(statementsOf("promote").SignFleetLocks).toEqual({
    Action: "kms:Sign",
    Resource: { "Fn::GetAtt": [expect.stringMatching(/^FleetLocksKey/), "Arn"] },
    Condition: { StringEquals: { "kms:SigningAlgorithm": "ECDSA_SHA_256", "kms:MessageType": "DIGEST" } },
  });
  expect(Statement.find(({ Sid }) => Sid === "NobodyElseSigns")).toMatchObject({
    Effect: "Deny",
    Action: "kms:Sign",
    Principal: "*",
    Condition: {
      ArnNotEquals: { "aws:PrincipalArn": { "Fn::GetAtt": [expect.stringMatching(/^Functionspromoterole/), "Arn"] } },
    },
  });
});

test("packages stay in the pool for as long as is configured, what is offered for two days, and locks for good", () => {
  const { Rules } = (stack.resources[bucket]?.Properties.LifecycleConfiguration ?? { Rules: [] }) as {
    Rules: { Prefix?: string; ExpirationInDays?: number }[];
  };
  const days = Object.fromEntries(Rules.map(({ Prefix = "", ExpirationInDays }) => [Prefix, ExpirationInDays]));
  expect(days).toMatchObject({ "pool/": 730, "offered/": 2 });
  expect(Object.keys(days).filter((prefix) => prefix !== "" && "fleet-locks/".startsWith(prefix))).toEqual([]);
});
