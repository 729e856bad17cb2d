import {
  DeleteObjectCommand,
  GetObjectCommand,
  GetObjectTaggingCommand,
  ListBucketsCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
} from "@aws-sdk/client-s3";
import { afterAll, describe, expect, test } from "vitest";
import { BUCKET, HOST_USER_ID, REGION } from "./running.ts";
import { runS3 } from "./s3-running.ts";

const { running, s3, asHost, put, read, stop } = await runS3();
afterAll(stop);

describe("access", () => {
  test("a host writes and reads below its own prefix and nowhere else", async () => {
    const own = `hosts/${HOST_USER_ID}/runs/r1/install-1.json`;
    const other = "hosts/AROAEXAMPLEROLE:i-00000000000000002/runs/r1/install-1.json";
    await asHost.send(new PutObjectCommand({ Bucket: BUCKET, Key: own, Body: "mine" }));
    await put(other, "theirs");
    expect(
      await (await asHost.send(new GetObjectCommand({ Bucket: BUCKET, Key: own }))).Body?.transformToString(),
    ).toBe("mine");
    const denied = (action: string, resource: string) => ({
      name: "AccessDenied",
      message: `User: arn:aws:sts::123456789012:assumed-role/autopatch-host/i-00000000000000001 is not authorized to perform: ${action} on resource: ${resource}`,
      $metadata: { httpStatusCode: 403 },
    });
    const arn = `arn:aws:s3:::${BUCKET}`;
    await expect(asHost.send(new PutObjectCommand({ Bucket: BUCKET, Key: other, Body: "x" }))).rejects.toMatchObject(
      denied("s3:PutObject", `${arn}/${other}`),
    );
    await expect(asHost.send(new GetObjectCommand({ Bucket: BUCKET, Key: other }))).rejects.toMatchObject(
      denied("s3:GetObject", `${arn}/${other}`),
    );
    await expect(asHost.send(new DeleteObjectCommand({ Bucket: BUCKET, Key: own }))).rejects.toMatchObject(
      denied("s3:DeleteObject", `${arn}/${own}`),
    );
    await expect(asHost.send(new ListObjectsV2Command({ Bucket: BUCKET }))).rejects.toMatchObject(
      denied("s3:ListBucket", arn),
    );
    const up = `hosts/${HOST_USER_ID}/../AROAEXAMPLEROLE:i-00000000000000002/x`;
    await asHost.send(new PutObjectCommand({ Bucket: BUCKET, Key: up, Body: "a key, not a path" }));
    await expect(read("hosts/AROAEXAMPLEROLE:i-00000000000000002/x")).rejects.toMatchObject({ name: "NoSuchKey" });
  });

  test("a missing key is forbidden, not missing, to whoever may not list", async () => {
    const Key = `hosts/${HOST_USER_ID}/none`;
    await expect(asHost.send(new GetObjectCommand({ Bucket: BUCKET, Key }))).rejects.toMatchObject({
      name: "AccessDenied",
    });
  });

  test("an unknown key is nobody", async () => {
    const credentials = { accessKeyId: "AKIANOBODY", secretAccessKey: "x" };
    const nobody = new S3Client({ endpoint: running.url, region: REGION, credentials, forcePathStyle: true });
    await expect(nobody.send(new ListBucketsCommand({}))).rejects.toMatchObject({ name: "InvalidAccessKeyId" });
    const unsigned = await fetch(`${running.url}/${BUCKET}/known`);
    expect([unsigned.status, await unsigned.text()]).toEqual([
      403,
      expect.stringContaining("<Code>AccessDenied</Code>"),
    ]);
  });

  test("what is not done here says so by name", async () => {
    const asked = s3.send(new GetObjectTaggingCommand({ Bucket: BUCKET, Key: "known" }));
    await expect(asked).rejects.toMatchObject({
      name: "NotImplemented",
      message: "s3: GET tagging on an object is not done by the local stack",
    });
    const acl = new PutObjectCommand({ Bucket: BUCKET, Key: "acl", Body: "x", ACL: "public-read" });
    await expect(s3.send(acl)).rejects.toMatchObject({
      message: "s3: the header x-amz-acl is not done by the local stack",
    });
    expect(running.lines.slice(-2)).toEqual([
      "endpoint: s3: GET tagging on an object is not done by the local stack",
      "endpoint: s3: the header x-amz-acl is not done by the local stack",
    ]);
  });
});
