import { PutObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { expect, onTestFinished, test } from "vitest";
import { objectCreated } from "../../../local/cloud/object-events.ts";
import { clientOptions } from "./clients.ts";
import { BUCKET, runEndpoint } from "./running.ts";

test("an object that was put is told of once, as S3 tells EventBridge; one that was refused is not", async () => {
  const events: unknown[] = [];
  const place = { account: "123456789012", region: "eu-west-1", stackName: "AutoPatch" };
  const running = await runEndpoint(undefined, {
    objectCreated: (bucket, version) => void events.push(objectCreated(bucket, version, place)),
  });
  onTestFinished(() => running.stop());
  const s3 = new S3Client({ ...clientOptions(running), forcePathStyle: true });
  const put = () =>
    s3.send(new PutObjectCommand({ Bucket: BUCKET, Key: "approvals/r/d/A:b c.json", Body: "{}", IfNoneMatch: "*" }));

  await put();
  await expect(put()).rejects.toMatchObject({ name: "PreconditionFailed" });

  expect(events).toEqual([
    expect.objectContaining({
      source: "aws.s3",
      "detail-type": "Object Created",
      account: "123456789012",
      resources: [`arn:aws:s3:::${BUCKET}`],
      detail: expect.objectContaining({
        bucket: { name: BUCKET },
        object: expect.objectContaining({ key: "approvals/r/d/A:b c.json", size: 2 }),
        requester: "123456789012",
      }),
    }),
  ]);
});
