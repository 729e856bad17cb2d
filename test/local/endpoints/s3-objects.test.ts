import { createHash } from "node:crypto";
import { Readable } from "node:stream";
import { CopyObjectCommand, GetObjectCommand, HeadObjectCommand, PutObjectCommand } from "@aws-sdk/client-s3";
import { afterAll, describe, expect, test } from "vitest";
import { BUCKET } from "./running.ts";
import { runS3 } from "./s3-running.ts";

const { s3, put, read, stop } = await runS3();
afterAll(stop);
const md5 = (content: string | Buffer) => `"${createHash("md5").update(content).digest("hex")}"`;
const sha256 = (content: string | Buffer) => createHash("sha256").update(content).digest("base64");

describe("objects", () => {
  test("come back with their headers, checksum and version", async () => {
    const Key = "odd/key with space+plus&ü.txt";
    const stored = await s3.send(
      new PutObjectCommand({
        Bucket: BUCKET,
        Key,
        Body: "héllo",
        ContentType: "text/plain",
        Metadata: { run: "r1" },
        ChecksumAlgorithm: "SHA256",
        ServerSideEncryption: "aws:kms",
        SSEKMSKeyId: "key-1",
      }),
    );
    const { $metadata: _p, ...putAnswer } = stored;
    const {
      $metadata: _g,
      Body,
      ...got
    } = await s3.send(new GetObjectCommand({ Bucket: BUCKET, Key, ChecksumMode: "ENABLED" }));
    const { $metadata: _h, ...headed } = await s3.send(new HeadObjectCommand({ Bucket: BUCKET, Key }));
    const encryption = { ServerSideEncryption: "aws:kms", SSEKMSKeyId: "key-1" };
    expect(putAnswer).toEqual({
      ETag: md5("héllo"),
      ChecksumSHA256: sha256("héllo"),
      ChecksumType: "FULL_OBJECT",
      VersionId: expect.stringMatching(/^[0-9a-f]{32}$/),
      ...encryption,
    });
    const described = {
      AcceptRanges: "bytes",
      LastModified: expect.any(Date),
      ContentLength: 6,
      ETag: md5("héllo"),
      VersionId: stored.VersionId,
      ContentType: "text/plain",
      Metadata: { run: "r1" },
      ...encryption,
    };
    expect(await Body?.transformToString()).toBe("héllo");
    expect(got).toEqual({ ...described, ChecksumSHA256: sha256("héllo"), ChecksumType: "FULL_OBJECT" });
    expect(headed).toEqual(described);
  });

  test("a stream arrives whole, with its trailing checksum verified", async () => {
    const content = Buffer.alloc(300_000, "abcdefg");
    const Body = Readable.from([content.subarray(0, 100_000), content.subarray(100_000)]);
    await s3.send(
      new PutObjectCommand({
        Bucket: BUCKET,
        Key: "stream",
        Body,
        ContentLength: content.length,
        ChecksumAlgorithm: "SHA256",
      }),
    );
    const { ChecksumSHA256 } = await s3.send(
      new HeadObjectCommand({ Bucket: BUCKET, Key: "stream", ChecksumMode: "ENABLED" }),
    );
    expect(await read("stream")).toBe(content.toString());
    expect(ChecksumSHA256).toBe(sha256(content));
  });

  test("a wrong checksum is refused and nothing is stored", async () => {
    const command = new PutObjectCommand({
      Bucket: BUCKET,
      Key: "tampered",
      Body: "good",
      ChecksumSHA256: sha256("evil"),
    });
    await expect(s3.send(command)).rejects.toMatchObject({
      name: "BadDigest",
      message: "The SHA256 you specified did not match the calculated checksum.",
      $metadata: { httpStatusCode: 400 },
    });
    await expect(read("tampered")).rejects.toMatchObject({ name: "NoSuchKey", Key: "tampered" });
  });

  test("If-None-Match makes a put create-only, also of two at once", async () => {
    const create = (Body: string) =>
      s3.send(new PutObjectCommand({ Bucket: BUCKET, Key: "once", Body, IfNoneMatch: "*" }));
    const both = await Promise.allSettled([create("first"), create("second")]);
    const third = await create("third").catch((error: unknown) => error);
    expect(both.map((one) => one.status).sort()).toEqual(["fulfilled", "rejected"]);
    expect(third).toMatchObject({ name: "PreconditionFailed", $metadata: { httpStatusCode: 412 } });
    expect(["first", "second"]).toContain(await read("once"));
  });

  test("If-Match replaces only what is known", async () => {
    await put("known", "one");
    const replace = (IfMatch: string) =>
      s3.send(new PutObjectCommand({ Bucket: BUCKET, Key: "known", Body: "two", IfMatch }));
    await expect(replace(md5("other"))).rejects.toMatchObject({ name: "PreconditionFailed" });
    await replace(md5("one"));
    expect(await read("known")).toBe("two");
  });

  test.each([
    ["bytes=0-3", "0123", "bytes 0-3/10"],
    ["bytes=7-", "789", "bytes 7-9/10"],
    ["bytes=-2", "89", "bytes 8-9/10"],
    ["bytes=8-99", "89", "bytes 8-9/10"],
  ])("range %s", async (Range, content, ContentRange) => {
    await put("digits", "0123456789");
    const part = await s3.send(new GetObjectCommand({ Bucket: BUCKET, Key: "digits", Range }));
    expect(await part.Body?.transformToString()).toBe(content);
    expect([part.ContentRange, part.ContentLength, part.$metadata.httpStatusCode]).toEqual([
      ContentRange,
      content.length,
      206,
    ]);
  });

  test("a range beyond the end is refused", async () => {
    await put("digits", "0123456789");
    await expect(read("digits", { Range: "bytes=10-" })).rejects.toMatchObject({
      name: "InvalidRange",
      $metadata: { httpStatusCode: 416 },
    });
  });

  test("a copy has the content and headers of its source", async () => {
    await s3.send(new PutObjectCommand({ Bucket: BUCKET, Key: "a b/source", Body: "copied", Metadata: { kind: "x" } }));
    const copied = await s3.send(
      new CopyObjectCommand({
        Bucket: BUCKET,
        Key: "target",
        CopySource: `${BUCKET}/${encodeURIComponent("a b/source")}`,
      }),
    );
    const { Metadata } = await s3.send(new HeadObjectCommand({ Bucket: BUCKET, Key: "target" }));
    expect(copied.CopyObjectResult?.ETag).toBe(md5("copied"));
    expect([await read("target"), Metadata]).toEqual(["copied", { kind: "x" }]);
  });
});
