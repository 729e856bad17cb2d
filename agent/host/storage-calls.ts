import { ListObjectsV2Command } from "@aws-sdk/client-s3";
import { Failure } from "../../contract/failures.ts";
import type { Storage } from "./storage.ts";

/** An S3 client and the bucket it is used on. */
export interface Place {
  readonly storage: Storage;
  readonly bucket: string;
}

/**
 * One call of S3. What throttling or a bad moment did has been tried again by the client, at random intervals; this is its last word.
 * @throws Failure `storageFailed` naming the object and S3's own words
 */
export async function calling<T>(what: string, call: Promise<T>): Promise<T> {
  try {
    return await call;
  } catch (error) {
    if (error instanceof Failure) throw error;
    const { name, message } = error as Error;
    throw new Failure("storageFailed", `${what}: ${name}: ${message}`, { cause: error });
  }
}

/** All keys below a prefix with their sizes, the prefix taken off. */
export async function listBelow({ storage, bucket }: Place, prefix: string): Promise<Map<string, number>> {
  const found = new Map<string, number>();
  for (let token: string | undefined; ; ) {
    const more = token === undefined ? {} : { ContinuationToken: token };
    const asked = storage.s3.send(new ListObjectsV2Command({ Bucket: bucket, Prefix: prefix, ...more }));
    const page = await calling(`s3://${bucket}/${prefix}`, asked);
    for (const { Key = "", Size = 0 } of page.Contents ?? []) found.set(Key.slice(prefix.length), Size);
    token = page.NextContinuationToken;
    if (page.IsTruncated !== true || token === undefined) return found;
  }
}
