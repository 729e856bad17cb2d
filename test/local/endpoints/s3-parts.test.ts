import { createHash } from "node:crypto";
import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  HeadObjectCommand,
  ListPartsCommand,
  UploadPartCommand,
} from "@aws-sdk/client-s3";
import { afterAll, describe, expect, test } from "vitest";
import { BUCKET } from "./running.ts";
import { runS3 } from "./s3-running.ts";

const { s3, read, stop } = await runS3();
afterAll(stop);
const md5 = (content: string | Buffer) => `"${createHash("md5").update(content).digest("hex")}"`;

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

  test("an upload that was cut short tells which parts arrived and their checksums; a wrong one is refused at the end", async () => {
    const at = { Bucket: BUCKET, Key: "resumed" };
    const sha256 = (content: Buffer | string) => createHash("sha256").update(content).digest("base64");
    const { UploadId = "" } = await s3.send(new CreateMultipartUploadCommand({ ...at, ChecksumAlgorithm: "SHA256" }));
    const put = async (PartNumber: number, Body: Buffer | string) => {
      const ChecksumSHA256 = sha256(Body);
      const { ETag = "" } = await s3.send(new UploadPartCommand({ ...at, UploadId, PartNumber, Body, ChecksumSHA256 }));
      return { PartNumber, ETag, ChecksumSHA256 };
    };
    const one = await put(1, first);
    const listed = await s3.send(new ListPartsCommand({ ...at, UploadId }));
    const two = await put(2, "end");
    const complete = (Parts: (typeof one)[], more: { IfNoneMatch?: string } = {}) =>
      s3.send(new CompleteMultipartUploadCommand({ ...at, UploadId, MultipartUpload: { Parts }, ...more }));
    expect(listed.Parts?.map((p) => [p.PartNumber, p.ChecksumSHA256])).toEqual([[1, sha256(first)]]);
    await expect(complete([one, { ...two, ChecksumSHA256: sha256("other") }])).rejects.toMatchObject({
      name: "InvalidPart",
    });
    const done = await complete([one, two]);
    const digests = Buffer.concat([first, "end"].map((content) => createHash("sha256").update(content).digest()));
    expect([done.ChecksumSHA256, done.ChecksumType]).toEqual([`${sha256(digests)}-2`, "COMPOSITE"]);
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
