import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { Callers } from "../../local/cloud/callers.ts";
import { deploy } from "../../local/cloud/deployment.ts";
import { readAssembly } from "../../local/cloud/template.ts";
import { synthesised } from "./assembly.ts";

const PLACE = { account: "123456789012", region: "eu-west-1", stackName: "AutoPatch" };
const stack = synthesised({
  gates: { calendars: ["patching", "arn:aws:ssm:eu-west-1:111122223333:document/shared"] },
  schedules: [
    { name: "nightly", cron: "cron(0 2 ? * TUE *)", timeZone: "Europe/Paris", request: { windowMinutes: 120 } },
  ],
});
const deployment = deploy(readAssembly(join(stack.folder), "AutoPatch"), PLACE);
afterAll(() => stack.remove());

const bucket = deployment.outputs.DecisionsBucketName ?? "";
const put = (key: string, name = bucket) => ({
  action: "s3:PutObject",
  resource: `arn:aws:s3:::${name}/${key}`,
  context: {},
});

test("nobody decides under another's name, not even who may do everything; elsewhere the policy refuses nothing", () => {
  const { operator } = new Callers(deployment);
  const allowed = (key: string, name?: string) => operator.allows(put(key, name));

  expect(allowed(`approvals/run-1/d/${operator.userId}.json`)).toBe(true);
  expect(allowed("approvals/run-1/d/AIDASOMEBODY.json")).toBe(false);
  expect(allowed(`approvals/run-1/${operator.userId}.json/AIDASOMEBODY.json`)).toBe(false);
  expect(allowed("freeze/default/any.json")).toBe(false);
  expect(allowed("runs/run-1/x.json", deployment.outputs.BucketName)).toBe(true);
});

test("approvers may approve, operators may stop and freeze, each under their own name", () => {
  const may = (output: string, action: string, key: string) =>
    deployment.policies.managedPolicyAllows(deployment.outputs[output] ?? "", {
      action,
      resource: `arn:aws:s3:::${bucket}/${key}`,
      context: { "aws:userid": "AROAX:alice" },
    });

  expect([
    may("ApproverPolicyArn", "s3:PutObject", "approvals/run-1/d/AROAX:alice.json"),
    may("ApproverPolicyArn", "s3:PutObject", "approvals/run-1/d/AROAX:bob.json"),
    may("ApproverPolicyArn", "s3:PutObject", "freeze/default/AROAX:alice.json"),
    may("OperatorPolicyArn", "s3:PutObject", "freeze/default/AROAX:alice.json"),
    may("OperatorPolicyArn", "s3:DeleteObject", "freeze/default/AROAX:alice.json"),
    may("OperatorPolicyArn", "s3:DeleteObject", "freeze/default/AROAX:bob.json"),
    may("OperatorPolicyArn", "s3:PutObject", "approvals/run-1/d/AROAX:alice.json"),
  ]).toEqual([true, false, false, true, true, false, false]);
});

test("what is put into the bucket is told to EventBridge, and an approval goes to its Lambda", () => {
  expect(deployment.buckets.filter(({ tellsEvents }) => tellsEvents).map(({ name }) => name)).toEqual([bucket]);
  const decided = deployment.rules.find(({ pattern }) => JSON.stringify(pattern).includes("Object Created"));
  expect(decided).toMatchObject({
    pattern: {
      source: ["aws.s3"],
      "detail-type": ["Object Created"],
      detail: { bucket: { name: [bucket] }, object: { key: [{ prefix: "approvals/" }] } },
    },
    targets: [{ maximumRetryAttempts: 4, deadLetterArn: expect.stringContaining("DeadLetters") }],
  });
});

test("the gate may ask the configured calendars, by name or ARN, and no others", () => {
  const gate = deployment.functions.find(({ title }) => title === "AutoPatch: gate");
  const asks = (name: string, account = "123456789012") =>
    deployment.policies.roleAllows(gate?.roleName ?? "", {
      action: "ssm:GetCalendarState",
      resource: `arn:aws:ssm:eu-west-1:${account}:document/${name}`,
      context: {},
    });

  expect([asks("patching"), asks("shared", "111122223333"), asks("other")]).toEqual([true, true, false]);
});

test("a schedule starts its run in its own time zone, at that very minute, and what it cannot deliver is kept", () => {
  const [[, schedule] = []] = stack.ofType("AWS::Scheduler::Schedule");

  expect(schedule?.Properties).toMatchObject({
    Name: "nightly",
    GroupName: "AutoPatch-runs",
    ScheduleExpression: "cron(0 2 ? * TUE *)",
    ScheduleExpressionTimezone: "Europe/Paris",
    FlexibleTimeWindow: { Mode: "OFF" },
    Target: { DeadLetterConfig: { Arn: expect.anything() }, RetryPolicy: { MaximumEventAgeInSeconds: 3_600 } },
  });
  const target = JSON.stringify(schedule?.Properties.Target).replaceAll("\\", "");
  expect(target).toContain('"scheduledTime":"<aws.scheduler.scheduled-time>"');
  expect(target).toContain('"request":{"windowMinutes":120}');
});

test("the scheduler's role is for schedules of the stack's own group, and starts one function", () => {
  const role = stack.ofType("AWS::IAM::Role").find(([id]) => id.startsWith("SchedulesRole"))?.[1];
  expect(JSON.stringify(role?.Properties.AssumeRolePolicyDocument)).toMatch(
    /"aws:SourceArn":\{"Fn::Join":\["",\[.*:schedule-group\/AutoPatch-runs"\]\]\}/,
  );
  const policy = stack.ofType("AWS::IAM::Policy").find(([id]) => id.startsWith("SchedulesRole"))?.[1];
  expect(policy?.Properties.PolicyDocument).toMatchObject({
    Statement: [
      {
        Action: "lambda:InvokeFunction",
        Resource: { "Fn::GetAtt": [expect.stringContaining("startscheduled"), "Arn"] },
      },
      { Action: "sqs:SendMessage", Resource: { "Fn::GetAtt": [expect.stringContaining("DeadLetters"), "Arn"] } },
    ],
  });
});

test("without schedules there is nothing of the scheduler's", () => {
  const plain = synthesised();
  const types = Object.values(plain.resources).map(({ Type }) => Type);
  plain.remove();

  expect(types.filter((type) => type.startsWith("AWS::Scheduler"))).toEqual([]);
});
