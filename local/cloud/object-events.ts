import { randomUUID } from "node:crypto";
import type { ObjectVersion } from "../endpoints/s3/store.ts";
import type { BusEvent } from "./event-bus.ts";
import type { Place } from "./resources.ts";

/** The event that S3 puts on the bus for a new object. Who put it is not in it: S3 names the account only. */
export function objectCreated(bucket: string, version: ObjectVersion, { account, region }: Place): BusEvent {
  const { key, size, etag, versionId, lastModified } = version;
  return {
    id: randomUUID(),
    source: "aws.s3",
    "detail-type": "Object Created",
    account,
    region,
    time: lastModified.toISOString(),
    resources: [`arn:aws:s3:::${bucket}`],
    detail: {
      version: "0",
      bucket: { name: bucket },
      object: { key, size, etag: etag.replaceAll('"', ""), "version-id": versionId },
      requester: account,
      reason: "PutObject",
    },
  };
}
