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
