import {
  DeleteObjectCommand,
  DeleteObjectsCommand,
  GetBucketVersioningCommand,
  HeadBucketCommand,
  ListBucketsCommand,
  ListObjectsV2Command,
  ListObjectVersionsCommand,
} from "@aws-sdk/client-s3";
import { afterAll, describe, expect, test } from "vitest";
import { BUCKET } from "./running.ts";
import { runS3 } from "./s3-running.ts";

const { s3, put, read, stop } = await runS3();
afterAll(stop);

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
