import { createHash } from "node:crypto";
import { Readable } from "node:stream";
import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CopyObjectCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  DeleteObjectsCommand,
  GetBucketVersioningCommand,
  GetObjectCommand,
  GetObjectTaggingCommand,
  HeadBucketCommand,
  HeadObjectCommand,
  ListBucketsCommand,
  ListObjectsV2Command,
  ListObjectVersionsCommand,
  ListPartsCommand,
  PutObjectCommand,
  S3Client,
  UploadPartCommand,
} from "@aws-sdk/client-s3";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { BUCKET, HOST, HOST_USER_ID, OPERATOR, REGION, type Running, runEndpoint } from "./running.ts";

let running: Running;
let s3: S3Client;
let asHost: S3Client;
beforeAll(async () => {
  running = await runEndpoint();
  s3 = new S3Client({ endpoint: running.url, region: REGION, credentials: OPERATOR, forcePathStyle: true });
  asHost = new S3Client({ endpoint: running.url, region: REGION, credentials: HOST, forcePathStyle: true });
});
afterAll(async () => {
  s3.destroy();
  asHost.destroy();
  await running.stop();
});

const put = (Key: string, Body: string | Buffer) => s3.send(new PutObjectCommand({ Bucket: BUCKET, Key, Body }));
const read = async (Key: string, more: { VersionId?: string; Range?: string } = {}) => {
  const object = await s3.send(new GetObjectCommand({ Bucket: BUCKET, Key, ...more }));
  return object.Body?.transformToString();
};
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

describe("versions", () => {
  test("a delete lays a marker over the object; removing the marker brings it back", async () => {
    const one = await put("versioned", "one");
    const two = await put("versioned", "two");
    const gone = await s3.send(new DeleteObjectCommand({ Bucket: BUCKET, Key: "versioned" }));
    await expect(read("versioned")).rejects.toMatchObject({ name: "NoSuchKey" });
    const listed = await s3.send(new ListObjectVersionsCommand({ Bucket: BUCKET, Prefix: "versioned" }));
    await s3.send(
      new DeleteObjectCommand({
        Bucket: BUCKET,
        Key: "versioned",
        ...(gone.VersionId ? { VersionId: gone.VersionId } : {}),
      }),
    );

    expect(gone.DeleteMarker).toBe(true);
    expect(listed.Versions?.map((v) => [v.VersionId, v.IsLatest, v.Size])).toEqual([
      [two.VersionId, false, 3],
      [one.VersionId, false, 3],
    ]);
    expect(listed.DeleteMarkers?.map((v) => [v.VersionId, v.IsLatest])).toEqual([[gone.VersionId, true]]);
    expect(await read("versioned")).toBe("two");
    expect(await read("versioned", { VersionId: one.VersionId ?? "" })).toBe("one");
    await expect(read("versioned", { VersionId: "none" })).rejects.toMatchObject({ name: "NoSuchVersion" });
  });

  test("many are deleted in one call", async () => {
    await put("bulk/1", "1");
    await put("bulk/2", "2");
    const objects = { Objects: [{ Key: "bulk/1" }, { Key: "bulk/2" }] };
    const { Deleted } = await s3.send(new DeleteObjectsCommand({ Bucket: BUCKET, Delete: objects }));
    const left = await s3.send(new ListObjectsV2Command({ Bucket: BUCKET, Prefix: "bulk/" }));
    expect(Deleted?.map((one) => [one.Key, one.DeleteMarker])).toEqual([
      ["bulk/1", true],
      ["bulk/2", true],
    ]);
    expect(left.KeyCount).toBe(0);
  });
});

describe("listings", () => {
  test("pages roll up what lies below the delimiter", async () => {
    for (const key of ["list/a", "list/b/1", "list/b/2", "list/c", "list/d/1", "lisu"]) await put(key, key);
    const whole = await s3.send(new ListObjectsV2Command({ Bucket: BUCKET, Prefix: "list/", Delimiter: "/" }));
    expect([whole.Contents?.map((c) => c.Key), whole.CommonPrefixes?.map((p) => p.Prefix), whole.KeyCount]).toEqual([
      ["list/a", "list/c"],
      ["list/b/", "list/d/"],
      4,
    ]);
    const pages = [];
    let ContinuationToken: string | undefined;
    do {
      const page = await s3.send(
        new ListObjectsV2Command({
          Bucket: BUCKET,
          Prefix: "list/",
          Delimiter: "/",
          MaxKeys: 2,
          ...(ContinuationToken === undefined ? {} : { ContinuationToken }),
        }),
      );
      pages.push([
        page.Contents?.map((c) => c.Key),
        page.CommonPrefixes?.map((p) => p.Prefix),
        page.KeyCount,
        page.IsTruncated,
      ]);
      ContinuationToken = page.NextContinuationToken;
    } while (ContinuationToken !== undefined);
    expect(pages).toEqual([
      [["list/a"], ["list/b/"], 2, true],
      [["list/c"], ["list/d/"], 2, false],
    ]);
  });

  test("buckets", async () => {
    const { Buckets } = await s3.send(new ListBucketsCommand({}));
    const versioning = await s3.send(new GetBucketVersioningCommand({ Bucket: BUCKET }));
    expect(Buckets).toEqual([{ Name: BUCKET, CreationDate: expect.any(Date) }]);
    expect(versioning.Status).toBe("Enabled");
    await expect(s3.send(new HeadBucketCommand({ Bucket: "nowhere" }))).rejects.toMatchObject({ name: "NotFound" });
    await expect(s3.send(new ListObjectsV2Command({ Bucket: "nowhere" }))).rejects.toMatchObject({
      name: "NoSuchBucket",
      BucketName: "nowhere",
    });
  });
});

describe("uploads in parts", () => {
  const Key = "big";
  const first = Buffer.alloc(5 * 1024 * 1024, "1");
  const begin = async () => {
    const { UploadId = "" } = await s3.send(
      new CreateMultipartUploadCommand({ Bucket: BUCKET, Key, Metadata: { parts: "2" } }),
    );
    const part = async (PartNumber: number, Body: Buffer | string) => {
      const { ETag } = await s3.send(new UploadPartCommand({ Bucket: BUCKET, Key, UploadId, PartNumber, Body }));
      return { PartNumber, ETag };
    };
    const complete = (Parts: { PartNumber: number; ETag: string | undefined }[]) =>
      s3.send(
        new CompleteMultipartUploadCommand({
          Bucket: BUCKET,
          Key,
          UploadId,
          MultipartUpload: { Parts: Parts.map(({ PartNumber, ETag }) => ({ PartNumber, ...(ETag ? { ETag } : {}) })) },
        }),
      );
    return { UploadId, part, complete };
  };

  test("come together in order, and the ETag tells that it is no hash of the content", async () => {
    const upload = await begin();
    const two = await upload.part(2, "end");
    const one = await upload.part(1, first);
    const listed = await s3.send(new ListPartsCommand({ Bucket: BUCKET, Key, UploadId: upload.UploadId }));
    const done = await upload.complete([one, two]);
    const digests = [first, "end"].map((content) => createHash("md5").update(content).digest());
    const headed = await s3.send(new HeadObjectCommand({ Bucket: BUCKET, Key }));
    expect(listed.Parts?.map((p) => [p.PartNumber, p.Size])).toEqual([
      [1, first.length],
      [2, 3],
    ]);
    expect(done.ETag).toBe(`"${createHash("md5").update(Buffer.concat(digests)).digest("hex")}-2"`);
    expect([headed.ContentLength, headed.Metadata]).toEqual([first.length + 3, { parts: "2" }]);
    expect(await read(Key, { Range: "bytes=-5" })).toBe("11end");
  });

  test("wrong, small, disordered and aborted ones are refused", async () => {
    const upload = await begin();
    const one = await upload.part(1, "small");
    const two = await upload.part(2, "end");
    await expect(upload.complete([one, two])).rejects.toMatchObject({ name: "EntityTooSmall" });
    await expect(upload.complete([two, one])).rejects.toMatchObject({ name: "InvalidPartOrder" });
    await expect(upload.complete([{ ...one, ETag: md5("x") }])).rejects.toMatchObject({ name: "InvalidPart" });
    await s3.send(new AbortMultipartUploadCommand({ Bucket: BUCKET, Key, UploadId: upload.UploadId }));
    await expect(upload.part(3, "late")).rejects.toMatchObject({ name: "NoSuchUpload" });
  });
});

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
