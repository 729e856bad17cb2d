import { createHash } from "node:crypto";
import { Readable } from "node:stream";
import { crc32 } from "node:zlib";
import {
  type ChecksumAlgorithm,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  GetBucketLocationCommand,
  GetObjectCommand,
  HeadObjectCommand,
  PutObjectCommand,
  S3Client,
  UploadPartCommand,
} from "@aws-sdk/client-s3";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { crc32c, crc64nvme } from "../../../local/endpoints/s3/crc.ts";
import { BUCKET, OPERATOR, REGION, type Running, runEndpoint } from "./running.ts";

let running: Running;
let s3: S3Client;
beforeAll(async () => {
  running = await runEndpoint();
  s3 = new S3Client({ endpoint: running.url, region: REGION, credentials: OPERATOR, forcePathStyle: true });
});
afterAll(async () => {
  s3.destroy();
  await running.stop();
});

/** The check values of the catalogue of parametrised CRC algorithms. */
const CHECK = "123456789";
const hex = (text: string) => Buffer.from(text, "hex").toString("base64");
const digest = (name: string, text: string) => createHash(name).update(text).digest("base64");

describe("redundancy checks", () => {
  test.each([
    ["", "00000000", "0000000000000000"],
    [CHECK, "e3069283", "ae8b14860a799888"],
  ])("of %j", (text, castagnoli, nvme) => {
    expect(crc32c(Buffer.from(text)).toString("hex")).toBe(castagnoli);
    expect(crc64nvme(Buffer.from(text)).toString("hex")).toBe(nvme);
  });
});

describe("checksums of uploads", () => {
  const all: [ChecksumAlgorithm, string][] = [
    ["CRC32", hex("cbf43926")],
    ["CRC32C", hex("e3069283")],
    ["CRC64NVME", hex("ae8b14860a799888")],
    ["SHA1", digest("sha1", CHECK)],
    ["SHA256", digest("sha256", CHECK)],
  ];

  test.each(all)(
    "%s is computed by the SDK, verified and given back, of a text and of a stream",
    async (name, value) => {
      for (const [Key, Body] of [
        [`${name}-text`, CHECK],
        [`${name}-stream`, Readable.from([Buffer.from(CHECK)])],
      ] as const) {
        await s3.send(
          new PutObjectCommand({ Bucket: BUCKET, Key, Body, ContentLength: CHECK.length, ChecksumAlgorithm: name }),
        );
        const head = await s3.send(new HeadObjectCommand({ Bucket: BUCKET, Key, ChecksumMode: "ENABLED" }));
        expect([head[`Checksum${name}`], head.ChecksumType]).toEqual([value, "FULL_OBJECT"]);
      }
      // Reading verifies again, this time in the SDK.
      const got = await s3.send(new GetObjectCommand({ Bucket: BUCKET, Key: `${name}-text`, ChecksumMode: "ENABLED" }));
      expect(await got.Body?.transformToString()).toBe(CHECK);
    },
  );

  test.each(all)("a body that is not what its %s says is refused, and nothing is kept", async (name, value) => {
    const Key = `wrong-${name}`;
    const command = new PutObjectCommand({ Bucket: BUCKET, Key, Body: "12345678X", [`Checksum${name}`]: value });
    await expect(s3.send(command)).rejects.toMatchObject({
      name: "BadDigest",
      message: `The ${name} you specified did not match the calculated checksum.`,
    });
    expect(running.store.versions(BUCKET, Key)).toEqual([]);
  });

  test("in parts it is a checksum of checksums, marked with how many", async () => {
    const at = { Bucket: BUCKET, Key: "parts" };
    const parts = [Buffer.alloc(5 * 1024 * 1024, "a"), Buffer.from("end")];
    const { UploadId } = await s3.send(new CreateMultipartUploadCommand({ ...at, ChecksumAlgorithm: "SHA256" }));
    if (UploadId === undefined) throw new Error("no UploadId");
    const sent = [];
    for (const [index, Body] of parts.entries()) {
      const PartNumber = index + 1;
      const { ETag, ChecksumSHA256 } = await s3.send(
        new UploadPartCommand({ ...at, UploadId, PartNumber, Body, ChecksumAlgorithm: "SHA256" }),
      );
      if (ETag === undefined || ChecksumSHA256 === undefined) throw new Error("no ETag or checksum");
      sent.push({ PartNumber, ETag, ChecksumSHA256 });
    }
    await s3.send(new CompleteMultipartUploadCommand({ ...at, UploadId, MultipartUpload: { Parts: sent } }));
    const head = await s3.send(new HeadObjectCommand({ ...at, ChecksumMode: "ENABLED" }));
    const digests = parts.map((part) => createHash("sha256").update(part).digest());
    const composite = createHash("sha256").update(Buffer.concat(digests)).digest("base64");
    expect([head.ChecksumSHA256, head.ChecksumType]).toEqual([`${composite}-2`, "COMPOSITE"]);
  });

  test("the trailer of a chunked body is verified as well", async () => {
    const chunked = (checksum: string) =>
      fetch(`${running.url}/${BUCKET}/trailer`, {
        method: "PUT",
        headers: {
          authorization: `AWS4-HMAC-SHA256 Credential=${OPERATOR.accessKeyId}/20261124/${REGION}/s3/aws4_request`,
          "content-encoding": "aws-chunked",
          "x-amz-content-sha256": "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
          "x-amz-decoded-content-length": "9",
          "x-amz-trailer": "x-amz-checksum-crc32",
        },
        body: `5\r\n12345\r\n4\r\n6789\r\n0\r\nx-amz-checksum-crc32:${checksum}\r\n\r\n`,
      });
    const crc = Buffer.alloc(4);
    crc.writeUInt32BE(crc32(CHECK));
    const good = await chunked(crc.toString("base64"));
    const bad = await chunked("AAAAAA==");
    const stored = await s3.send(new GetObjectCommand({ Bucket: BUCKET, Key: "trailer" }));
    expect([good.status, good.headers.get("x-amz-checksum-crc32")]).toEqual([200, crc.toString("base64")]);
    expect([bad.status, await bad.text()]).toEqual([400, expect.stringContaining("<Code>BadDigest</Code>")]);
    expect([await stored.Body?.transformToString(), stored.ContentEncoding]).toEqual([CHECK, undefined]);
    expect(running.store.versions(BUCKET, "trailer")).toHaveLength(1);
  });
});

test("a bucket tells where it is", async () => {
  const { LocationConstraint } = await s3.send(new GetBucketLocationCommand({ Bucket: BUCKET }));
  expect(LocationConstraint).toBe(REGION);
  await expect(s3.send(new GetBucketLocationCommand({ Bucket: "nowhere" }))).rejects.toMatchObject({
    name: "NoSuchBucket",
  });
});
