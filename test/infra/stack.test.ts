import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { stepDocument } from "../../infra/constructs/step-documents.ts";
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
  expect(policies.match(/"aws:SecureTransport":"false"/g)).toHaveLength(2);
});

test("a step's document runs the agent itself, with one anchored parameter", () => {
  expect(stepDocument("install")).toEqual({
    schemaVersion: "2.2",
    description: "AutoPatch: install on this host",
    parameters: {
      request: {
        type: "String",
        description: "One step request in base64url",
        allowedPattern: "^[A-Za-z0-9_-]{1,12000}$",
      },
    },
    mainSteps: [
      {
        action: "aws:runShellScript",
        name: "install",
        inputs: {
          timeoutSeconds: "3600",
          runCommand: ["exec /usr/lib/autopatch/autopatch step install --request '{{ request }}'"],
        },
      },
    ],
  });
  const names = stack.ofType("AWS::SSM::Document").map(([, { Properties }]) => Properties.Name);
  expect(names).toEqual([
    "AutoPatch-Preflight",
    "AutoPatch-Download",
    "AutoPatch-Verify",
    "AutoPatch-Backup",
    "AutoPatch-Install",
    "AutoPatch-Validate",
    "AutoPatch-Commit",
    "AutoPatch-Rollback",
  ]);
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

test("every Lambda is one self-contained module on Node 24, arm64, below 800 kB", () => {
  const functions = stack.ofType("AWS::Lambda::Function");
  const bundles = readdirSync(stack.folder).filter((name) => name.startsWith("asset."));

  expect(
    new Set(functions.map(([, { Properties: p }]) => [p.Runtime, p.Architectures, p.Handler].flat().join(" "))),
  ).toEqual(new Set(["nodejs24.x arm64 index.handler"]));
  expect([functions.length, bundles.length]).toEqual([8, 8]);
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
