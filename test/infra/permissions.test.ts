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
    Resource: ["Backup", "Commit", "Download", "Install", "Preflight", "Rollback", "Validate", "Verify"].map((step) =>
      arn(`ssm|document/Test-AutoPatch-${step}`),
    ),
  });
  expect(ToEnrolledHosts).toEqual({
    Action: "ssm:SendCommand",
    Resource: [arn("ec2|instance/*"), arn("ssm|managed-instance/*")],
    Condition: { StringEquals: { "ssm:resourceTag/Patch": "yes" } },
  });
});

test("nobody else may send commands", () => {
  const senders = stack
    .ofType("AWS::IAM::Policy")
    .filter(([, resource]) => JSON.stringify(resource).includes("ssm:SendCommand"))
    .map(([id]) => id.slice(0, "Functionsdispatch".length));

  expect(senders).toEqual(["Functionsdispatch"]);
});

test.each([
  ["plan", ["runs/*"], ["runs/*"]],
  ["dispatch", ["runs/*"], []],
  ["await", [], ["commands/*"]],
  ["collect", ["runs/*"], ["runs/*"]],
  ["onevent", ["commands/*"], []],
  ["assess", ["runs/*"], ["runs/*"]],
  ["report", ["hosts/*", "runs/*"], ["runs/*"]],
  ["notify", ["runs/*"], []],
])("%s reads and writes only under its prefixes", (name, get, put) => {
  const statements = Object.values(statementsOf(name)).filter(({ Action }) => JSON.stringify(Action).includes("s3:"));
  const on = (action: string) =>
    statements.filter(({ Action }) => Action === action).flatMap(({ Resource }) => [Resource].flat());

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

test("a host reads and writes its own reports and nothing else", () => {
  const [document] = stack.ofType("AWS::IAM::ManagedPolicy").map(([, { Properties }]) => Properties.PolicyDocument);
  const { Statement } = document as { Statement: Statement[] };

  expect(Statement.map(({ Sid, Action }) => [Sid, Action])).toEqual([
    ["OwnReports", ["s3:GetObject", "s3:PutObject"]],
    ["KeyThroughS3Only", ["kms:Decrypt", "kms:GenerateDataKey"]],
  ]);
  expect(Statement[0]?.Resource).toEqual(objects("hosts/${aws:userid}/*"));
  expect(Statement[1]?.Condition).toEqual({
    StringEquals: { "kms:ViaService": { "Fn::Join": ["", ["s3.", { Ref: "AWS::Region" }, ".amazonaws.com"]] } },
  });
});
