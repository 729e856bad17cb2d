import { gzipSync } from "node:zlib";
import { CloudWatchClient, PutMetricDataCommand } from "@aws-sdk/client-cloudwatch";
import { GetObjectCommand, HeadObjectCommand, PutObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { ListExecutionsCommand, SFNClient } from "@aws-sdk/client-sfn";
import { ListTopicsCommand, PublishCommand, SNSClient } from "@aws-sdk/client-sns";
import { DescribeInstanceInformationCommand, SSMClient } from "@aws-sdk/client-ssm";
import { GetCallerIdentityCommand, STSClient } from "@aws-sdk/client-sts";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { Fault } from "../../../local/endpoints/fault.ts";
import { BUCKET, MACHINE, OPERATOR, REGION, type Running, runEndpoint, TOPIC } from "./running.ts";

let running: Running;
/** The faults still to come, by `service:Operation`, and every call that was asked about. */
const faults = new Map<string, Fault[]>();
const asked: string[] = [];
const client = () => ({ endpoint: running.url, region: REGION, credentials: OPERATOR, forcePathStyle: true });
const once = () => ({ ...client(), maxAttempts: 1 });

beforeAll(async () => {
  running = await runEndpoint(undefined, {
    fault: ({ userId }, service, operation) => {
      asked.push(`${userId} ${service}:${operation}`);
      return faults.get(`${service}:${operation}`)?.shift();
    },
  });
});
beforeEach(() => {
  faults.clear();
  asked.length = 0;
});
afterAll(() => running.stop());

describe("faults on request", () => {
  const throttled = (code: string, status = 400): Fault => ({ code, status, message: "Rate exceeded" });

  test.each([
    [
      "ssm:DescribeInstanceInformation",
      throttled("ThrottlingException"),
      () => new SSMClient(once()).send(new DescribeInstanceInformationCommand({})),
    ],
    [
      "states:ListExecutions",
      throttled("ThrottlingException"),
      () => new SFNClient(once()).send(new ListExecutionsCommand({ stateMachineArn: MACHINE })),
    ],
    [
      "cloudwatch:PutMetricData",
      throttled("Throttling"),
      () =>
        new CloudWatchClient(once()).send(
          new PutMetricDataCommand({ Namespace: "N", MetricData: [{ MetricName: "M", Value: 1 }] }),
        ),
    ],
    [
      "sns:Publish",
      throttled("Throttling"),
      () => new SNSClient(once()).send(new PublishCommand({ TopicArn: TOPIC, Message: "m" })),
    ],
    [
      "sts:GetCallerIdentity",
      throttled("Throttling"),
      () => new STSClient(once()).send(new GetCallerIdentityCommand({})),
    ],
    [
      "s3:PutObject",
      throttled("SlowDown", 503),
      () => new S3Client(once()).send(new PutObjectCommand({ Bucket: BUCKET, Key: "k", Body: "b" })),
    ],
  ] as const)("%s is throttled in the service's shape, and nothing is done", async (call, fault, send) => {
    faults.set(call, [fault]);
    await expect(send()).rejects.toMatchObject({
      name: fault.code,
      message: "Rate exceeded",
      $metadata: { httpStatusCode: fault.status, attempts: 1 },
    });
    expect(asked).toEqual([`AIDAOPERATOR ${call}`]);
    expect([running.metrics.data, running.topics.messages, running.store.keys(BUCKET)]).toEqual([[], [], []]);
  });

  test("an SDK client that may try again gets through, once", async () => {
    faults.set("s3:PutObject", [throttled("SlowDown", 503), throttled("InternalError", 500)]);
    const s3 = new S3Client({ ...client(), maxAttempts: 3 });
    const { $metadata } = await s3.send(new PutObjectCommand({ Bucket: BUCKET, Key: "retried", Body: "b" }));
    expect($metadata.attempts).toBe(3);
    expect(running.store.versions(BUCKET, "retried")).toHaveLength(1);
  });

  test("a refusal that trying again does not help is told at once; HEAD tells by its status alone", async () => {
    const s3 = new S3Client({ ...client(), maxAttempts: 3 });
    const denied = { code: "AccessDenied", status: 403 };
    faults.set("s3:GetObject", [denied]).set("s3:HeadObject", [denied]);
    await expect(s3.send(new GetObjectCommand({ Bucket: BUCKET, Key: "k" }))).rejects.toMatchObject({
      name: "AccessDenied",
      message: "s3 GetObject: a fault made on purpose",
      $metadata: { attempts: 1 },
    });
    await expect(s3.send(new HeadObjectCommand({ Bucket: BUCKET, Key: "k" }))).rejects.toMatchObject({
      $metadata: { httpStatusCode: 403, attempts: 1 },
    });
  });

  test("other calls go their way", async () => {
    faults.set("sns:Publish", [throttled("Throttling")]);
    const { Topics } = await new SNSClient(once()).send(new ListTopicsCommand({}));
    expect(Topics).toEqual([{ TopicArn: TOPIC }]);
  });
});

describe("bodies that come compressed", () => {
  test("the SDK compresses many metrics in one call; all of them arrive", async () => {
    const MetricData = Array.from({ length: 400 }, (_, index) => ({ MetricName: `Metric${index}`, Value: index }));
    const cloudwatch = new CloudWatchClient(once());
    let encoding: string | undefined;
    cloudwatch.middlewareStack.add(
      (next) => (args) => {
        encoding = (args.request as { headers: Record<string, string> }).headers["content-encoding"];
        return next(args);
      },
      { step: "finalizeRequest", priority: "low" },
    );
    await cloudwatch.send(new PutMetricDataCommand({ Namespace: "Compressed", MetricData }));
    const seen = running.metrics.data.filter(({ namespace }) => namespace === "Compressed");
    expect(encoding).toBe("gzip");
    expect(seen.map(({ name, sum }) => [name, sum])).toEqual(MetricData.map((one) => [one.MetricName, one.Value]));
  });

  test("one that unpacks to more than a service takes, or is no gzip, is refused", async () => {
    const post = (body: Buffer) =>
      fetch(running.url, {
        method: "POST",
        headers: {
          authorization: `AWS4-HMAC-SHA256 Credential=${OPERATOR.accessKeyId}/20261124/${REGION}/ssm/aws4_request`,
          "x-amz-target": "AmazonSSM.ListCommands",
          "content-encoding": "gzip",
        },
        body,
      });
    for (const body of [gzipSync(Buffer.alloc(17 * 1024 * 1024)), Buffer.from("{}")]) {
      const answer = await post(body);
      expect([answer.status, await answer.json()]).toEqual([
        400,
        { __type: "SerializationException", message: expect.stringContaining("the gzip body: ") },
      ]);
    }
  });
});
