import { GetObjectCommand, ListObjectsV2Command, NoSuchKey, S3Client } from "@aws-sdk/client-s3";
import type { Decision } from "../../contract/decisions.ts";
import { readDecision } from "../fleet/decisions.ts";

/** What people have decided, from the bucket in which each may write under their own name only. */
export class Decisions {
  readonly #s3 = new S3Client({});
  readonly #bucket: string;

  constructor(bucket: string) {
    this.#bucket = bucket;
  }

  /** Every decision whose key begins with the prefix; the earliest first. One that was withdrawn in between is not there. */
  async under(prefix: string): Promise<Decision[]> {
    const found: Decision[] = [];
    let ContinuationToken: string | undefined;
    do {
      const page = await this.#s3.send(
        new ListObjectsV2Command({ Bucket: this.#bucket, Prefix: prefix, ContinuationToken }),
      );
      for (const { Key, LastModified } of page.Contents ?? []) {
        const text = Key === undefined ? undefined : await this.#text(Key);
        const decision =
          Key === undefined || LastModified === undefined || text === undefined
            ? undefined
            : readDecision({ key: Key, at: LastModified, text });
        if (decision !== undefined) found.push(decision);
      }
      ContinuationToken = page.NextContinuationToken;
    } while (ContinuationToken !== undefined);
    return found.sort((a, b) => (a.at < b.at ? -1 : 1));
  }

  async #text(Key: string): Promise<string | undefined> {
    try {
      const { Body } = await this.#s3.send(new GetObjectCommand({ Bucket: this.#bucket, Key }));
      return (await Body?.transformToString()) ?? "";
    } catch (error) {
      if (error instanceof NoSuchKey) return undefined;
      throw error;
    }
  }
}
