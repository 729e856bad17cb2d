import { createHash, createPublicKey, randomUUID, verify } from "node:crypto";
import { CloudWatchClient, PutMetricDataCommand } from "@aws-sdk/client-cloudwatch";
import { GetPublicKeyCommand, KMSClient, SignCommand } from "@aws-sdk/client-kms";
import {
  CopyObjectCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  ListObjectVersionsCommand,
  PutObjectCommand,
  S3Client,
} from "@aws-sdk/client-s3";
import { ListExecutionsCommand, SendTaskSuccessCommand, SFNClient } from "@aws-sdk/client-sfn";
import { ListTopicsCommand, PublishCommand, SNSClient } from "@aws-sdk/client-sns";
import { GetCommandInvocationCommand, SendCommandCommand, SSMClient } from "@aws-sdk/client-ssm";
import { GetCallerIdentityCommand, STSClient } from "@aws-sdk/client-sts";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

/** Where the suite runs and on what. Without endpoint and credentials it is AWS itself, with the SDK's usual ones. */
export interface ConformanceTarget {
  readonly region: string;
  readonly account: string;
  readonly endpoint?: string;
  readonly credentials?: { readonly accessKeyId: string; readonly secretAccessKey: string };
  /** A bucket with versioning on; the suite writes below `conformance/<uuid>/` and removes it. */
  readonly bucket: string;
  readonly topicArn: string;
  readonly stateMachineArn: string;
  /** A KMS key, ECC_NIST_P256 for SIGN_VERIFY. */
  readonly signingKeyArn: string;
}

/** What the design relies on in AWS (facts of S3, SSM, Step Functions, SNS, CloudWatch), asked through the SDK alone. */
export function conformance(name: string, open: () => Promise<ConformanceTarget & { close(): Promise<void> }>): void {
  describe(name, () => {
    let target: ConformanceTarget & { close(): Promise<void> };
    let s3: S3Client;
    let prefix: string;
    beforeAll(async () => {
      target = await open();
      prefix = `conformance/${randomUUID()}/`;
      s3 = new S3Client(client());
    });
    afterAll(async () => {
      await removeAll();
      s3.destroy();
      await target.close();
    });

    function client() {
      const { region, endpoint, credentials } = target;
      return {
        region,
        forcePathStyle: true,
        ...(endpoint ? { endpoint } : {}),
        ...(credentials ? { credentials } : {}),
      };
    }
    async function removeAll() {
      const { bucket: Bucket } = target;
      const { Versions = [], DeleteMarkers = [] } = await s3.send(
        new ListObjectVersionsCommand({ Bucket, Prefix: prefix }),
      );
      for (const { Key = "", VersionId = "" } of [...Versions, ...DeleteMarkers]) {
        await s3.send(new DeleteObjectCommand({ Bucket, Key, VersionId }));
      }
    }
    const at = (key: string) => ({ Bucket: target.bucket, Key: prefix + key });
    const isHex = (text: string | undefined) => /^[0-9a-f-]{36}$/.test(text ?? "");

    test("If-None-Match lets one of two creations through", async () => {
      const create = () => s3.send(new PutObjectCommand({ ...at("once"), Body: "x", IfNoneMatch: "*" }));
      await create();
      await expect(create()).rejects.toMatchObject({ name: "PreconditionFailed", $metadata: { httpStatusCode: 412 } });
    });

    test("a single put has the SHA-256 of the whole object, a version, and an ETag that is its MD5", async () => {
      const Body = "bytes of a package";
      const hash = (algorithm: string) => createHash(algorithm).update(Body);
      const put = await s3.send(new PutObjectCommand({ ...at("deb"), Body, ChecksumAlgorithm: "SHA256" }));
      const head = await s3.send(
        new HeadObjectCommand({ ...at("deb"), ChecksumMode: "ENABLED", ...version(put.VersionId) }),
      );
      expect([head.ChecksumSHA256, head.ChecksumType, head.VersionId, head.ETag, head.ContentLength]).toEqual([
        hash("sha256").digest("base64"),
        "FULL_OBJECT",
        put.VersionId,
        `"${hash("md5").digest("hex")}"`,
        Body.length,
      ]);
    });

    test("what is deleted is hidden, and its version is still there", async () => {
      const { VersionId } = await s3.send(new PutObjectCommand({ ...at("gone"), Body: "kept" }));
      const { DeleteMarker } = await s3.send(new DeleteObjectCommand(at("gone")));
      const listed = await s3.send(new ListObjectsV2Command({ Bucket: target.bucket, Prefix: `${prefix}gone` }));
      const kept = await s3.send(new GetObjectCommand({ ...at("gone"), ...version(VersionId) }));
      expect([DeleteMarker, listed.KeyCount, await kept.Body?.transformToString()]).toEqual([true, 0, "kept"]);
      await expect(s3.send(new GetObjectCommand(at("gone")))).rejects.toMatchObject({ name: "NoSuchKey" });
    });

    test("SendCommand refuses unknown documents; an invocation that is not there is named so", async () => {
      const ssm = new SSMClient(client());
      const InstanceId = "i-0123456789abcdef0";
      await expect(
        ssm.send(new SendCommandCommand({ DocumentName: "AutoPatch-NoSuchDocument", InstanceIds: [InstanceId] })),
      ).rejects.toMatchObject({ name: "InvalidDocument" });
      await expect(
        ssm.send(new SendCommandCommand({ DocumentName: "X", InstanceIds: Array(51).fill(InstanceId) })),
      ).rejects.toMatchObject({ name: "ValidationException" });
      await expect(
        ssm.send(new GetCommandInvocationCommand({ CommandId: randomUUID(), InstanceId })),
      ).rejects.toMatchObject({ name: "InvocationDoesNotExist" });
    });

    test("Step Functions refuses a token that it never gave and a machine that is not there", async () => {
      const sfn = new SFNClient(client());
      const { executions } = await sfn.send(new ListExecutionsCommand({ stateMachineArn: target.stateMachineArn }));
      expect(Array.isArray(executions)).toBe(true);
      await expect(sfn.send(new SendTaskSuccessCommand({ taskToken: "none", output: "{}" }))).rejects.toMatchObject({
        name: "InvalidToken",
      });
      await expect(
        sfn.send(new ListExecutionsCommand({ stateMachineArn: `${target.stateMachineArn}-none` })),
      ).rejects.toMatchObject({ name: "StateMachineDoesNotExist" });
    });

    test("SNS lists the topic, takes a message, and refuses a topic that is not there", async () => {
      const sns = new SNSClient(client());
      const { Topics = [] } = await sns.send(new ListTopicsCommand({}));
      const { MessageId } = await sns.send(
        new PublishCommand({ TopicArn: target.topicArn, Subject: "conformance", Message: "<a & b>" }),
      );
      expect([Topics.some(({ TopicArn }) => TopicArn === target.topicArn), isHex(MessageId)]).toEqual([true, true]);
      await expect(
        sns.send(new PublishCommand({ TopicArn: `${target.topicArn}-none`, Message: "x" })),
      ).rejects.toMatchObject({ $metadata: { httpStatusCode: 404 } });
    });

    test("CloudWatch takes metrics, but not in AWS's own namespaces", async () => {
      const cloudwatch = new CloudWatchClient(client());
      const put = (Namespace: string) =>
        cloudwatch.send(
          new PutMetricDataCommand({ Namespace, MetricData: [{ MetricName: "Conformance", Value: 1, Unit: "Count" }] }),
        );
      const { $metadata } = await put("AutoPatch/Conformance");
      expect($metadata.httpStatusCode).toBe(200);
      await expect(put("AWS/EC2")).rejects.toMatchObject({ $metadata: { httpStatusCode: 400 } });
    });

    test("KMS signs a digest as one signs the document itself, in DER; a digest of another length it does not", async () => {
      const kms = new KMSClient(client());
      const document = Buffer.from("a document".repeat(1_000));
      const Message = createHash("sha256").update(document).digest();
      const how = { KeyId: target.signingKeyArn, MessageType: "DIGEST", SigningAlgorithm: "ECDSA_SHA_256" } as const;
      const { Signature = new Uint8Array(), KeyId } = await kms.send(new SignCommand({ ...how, Message }));
      const { PublicKey = new Uint8Array(), KeySpec } = await kms.send(new GetPublicKeyCommand({ KeyId }));
      const key = createPublicKey({ key: Buffer.from(PublicKey), format: "der", type: "spki" });
      expect([KeyId, KeySpec]).toEqual([target.signingKeyArn, "ECC_NIST_P256"]);
      expect(verify("sha256", document, { key, dsaEncoding: "der" }, Signature)).toBe(true);
      expect(verify("sha256", Message, { key, dsaEncoding: "der" }, Signature)).toBe(false);
      await expect(kms.send(new SignCommand({ ...how, Message: document.subarray(0, 40) }))).rejects.toMatchObject({
        name: "ValidationException",
      });
    });

    test("a copy is of the version that was named, has a SHA-256 of its own, and is made once", async () => {
      const Body = "bytes of a package";
      const { VersionId } = await s3.send(
        new PutObjectCommand({ ...at("offered"), Body, Metadata: { said: "x" }, ChecksumAlgorithm: "CRC32" }),
      );
      await s3.send(new PutObjectCommand({ ...at("offered"), Body: "something else" }));
      const copy = () =>
        s3.send(
          new CopyObjectCommand({
            ...at("pool"),
            CopySource: `${target.bucket}/${prefix}offered?versionId=${VersionId}`,
            IfNoneMatch: "*",
            ChecksumAlgorithm: "SHA256",
            MetadataDirective: "REPLACE",
            TaggingDirective: "REPLACE",
          }),
        );
      const { CopyObjectResult } = await copy();
      const ChecksumSHA256 = createHash("sha256").update(Body).digest("base64");
      const head = await s3.send(new HeadObjectCommand({ ...at("pool"), ChecksumMode: "ENABLED" }));
      expect(CopyObjectResult).toMatchObject({ ChecksumSHA256 });
      expect(head).toMatchObject({ ChecksumSHA256, ContentLength: Body.length, Metadata: {} });
      await expect(copy()).rejects.toMatchObject({ name: "PreconditionFailed" });
    });

    test("STS tells the account", async () => {
      const { Account } = await new STSClient(client()).send(new GetCallerIdentityCommand({}));
      expect(Account).toBe(target.account);
    });
  });
}

const version = (VersionId: string | undefined) => (VersionId === undefined ? {} : { VersionId });
