import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { OrderedOperation } from "../../contract/operations.ts";
import { commandDocument } from "../../infra/constructs/command-documents.ts";
import { operationContent } from "../../infra/constructs/operation-documents.ts";
import { synthesised } from "./assembly.ts";

const stack = synthesised();
afterAll(() => stack.remove());

test("the data bucket is encrypted, versioned, closed, and outlives the stack", () => {
  const [, bucket] = stack.ofType("AWS::S3::Bucket").find(([id]) => id.startsWith("DataBucket")) ?? [];

  expect(bucket).toMatchObject({
    DeletionPolicy: "Retain",
    Properties: {
      BucketEncryption: {
        ServerSideEncryptionConfiguration: [
          { BucketKeyEnabled: true, ServerSideEncryptionByDefault: { SSEAlgorithm: "aws:kms" } },
        ],
      },
      VersioningConfiguration: { Status: "Enabled" },
      PublicAccessBlockConfiguration: {
        BlockPublicAcls: true,
        BlockPublicPolicy: true,
        IgnorePublicAcls: true,
        RestrictPublicBuckets: true,
      },
    },
  });
  const policies = JSON.stringify(stack.ofType("AWS::S3::BucketPolicy"));
  expect(policies.match(/"aws:SecureTransport":"false"/g)).toHaveLength(3);
});

test("a command's document runs the agent itself, step by step, with one anchored parameter", () => {
  const step = (name: string, timeoutSeconds: string) => ({
    action: "aws:runShellScript",
    name,
    inputs: {
      timeoutSeconds,
      runCommand: [`exec /usr/lib/autopatch/autopatch step ${name} --request '{{ request }}'`],
    },
  });
  expect(commandDocument("apply")).toEqual({
    schemaVersion: "2.2",
    description: "AutoPatch: apply on this host",
    parameters: {
      request: { type: "String", description: "One request in base64url", allowedPattern: "^[A-Za-z0-9_-]{1,12000}$" },
    },
    mainSteps: [step("backup", "1800"), step("install", "3600"), step("reboot", "1200"), step("validate", "900")],
  });
  const names = stack.ofType("AWS::SSM::Document").map(([, { Properties }]) => Properties.Name);
  const commands = names.filter((name) => !/-Run/.test(String(name)));
  expect(commands).toEqual(
    ["Prepare", "Apply", "Commit", "Check", "Rollback", "Upload"].map((name) => `AutoPatch-${name}`),
  );
});

test("the rule hears the end of our commands, tries again, and keeps what it could not deliver", () => {
  const [[, rule] = []] = stack.ofType("AWS::Events::Rule");

  expect(rule?.Properties.EventPattern).toMatchObject({
    source: ["aws.ssm"],
    "detail-type": ["EC2 Command Status-change Notification"],
    detail: { status: ["Success", "Failed", "TimedOut", "Cancelled"] },
  });
  expect(rule?.Properties.Targets).toMatchObject([
    { RetryPolicy: { MaximumRetryAttempts: 4 }, DeadLetterConfig: { Arn: expect.anything() } },
  ]);
});

test("an operation's document takes nothing: no word of the caller's can become part of its line", () => {
  expect(operationContent("auto-update")).toMatchObject({
    parameters: {},
    mainSteps: [
      {
        name: "auto-update",
        inputs: { runCommand: ["exec /usr/local/bin/autopatch-manager.sh auto-update --install --backup"] },
      },
    ],
  });
  for (const operation of OrderedOperation.options)
    expect(JSON.stringify(operationContent(operation))).not.toMatch(/\{\{|\$|`/);
});

test("every Lambda is one self-contained module on Node 24, arm64, below 800 kB", () => {
  const functions = stack.ofType("AWS::Lambda::Function");
  const bundles = readdirSync(stack.folder).filter((name) => name.startsWith("asset."));

  expect(
    new Set(functions.map(([, { Properties: p }]) => [p.Runtime, p.Architectures, p.Handler].flat().join(" "))),
  ).toEqual(new Set(["nodejs24.x arm64 index.handler"]));
  expect([functions.length, bundles.length]).toEqual([13, 13]);
  for (const bundle of bundles) {
    expect(readdirSync(join(stack.folder, bundle))).toEqual(["index.mjs"]);
    expect(statSync(join(stack.folder, bundle, "index.mjs")).size).toBeLessThan(800_000);
  }
});

test("nothing in the template needs a helper of CDK's at deployment", () => {
  const types = new Set(Object.values(stack.resources).map(({ Type }) => Type));

  expect(
    [...types].filter((type) => type.startsWith("Custom::") || type === "AWS::CloudFormation::CustomResource"),
  ).toEqual([]);
});
