import { GetObjectCommand, NoSuchKey, PutObjectCommand, S3Client, S3ServiceException } from "@aws-sdk/client-s3";
import { KEYS } from "../../contract/names.ts";
import { NewestFleetLock } from "../../contract/promotion.ts";

/** Claims of a number that may be lost to another run before something must be wrong. */
const CLAIMS = 10;

/** Fleet locks in the bucket. What is written is never written over. */
export class FleetLockStore {
  readonly #s3 = new S3Client({});
  readonly #bucket: string;

  constructor(bucket: string) {
    this.#bucket = bucket;
  }

  /** @throws Error of S3, also when there is none */
  async read(key: string): Promise<Buffer> {
    const { Body } = await this.#s3.send(new GetObjectCommand({ Bucket: this.#bucket, Key: key }));
    return Buffer.from((await Body?.transformToByteArray()) ?? new Uint8Array());
  }

  /** Writes only where there is nothing yet. @returns what lies there now */
  async writeOnce(key: string, content: Buffer): Promise<Buffer> {
    const isWritten = await this.#put(key, content, { IfNoneMatch: "*" });
    return isWritten ? content : await this.read(key);
  }

  /** The next number of a fleet, given to this run; a run that asks again while no other has asked gets the same. */
  async nextSequence(fleet: string, runId: string): Promise<number> {
    const key = KEYS.newestFleetLock(fleet);
    for (let claim = 0; claim < CLAIMS; claim++) {
      const newest = await this.#newest(key);
      if (newest?.runId === runId) return newest.sequence;
      const next: NewestFleetLock = { sequence: (newest?.sequence ?? 0) + 1, runId };
      const condition = newest === null ? { IfNoneMatch: "*" } : { IfMatch: newest.etag };
      if (await this.#put(key, Buffer.from(JSON.stringify(next)), condition)) return next.sequence;
    }
    throw new Error(`s3://${this.#bucket}/${key}: other runs took ${CLAIMS} numbers in a row`);
  }

  async #newest(key: string) {
    try {
      const { Body, ETag = "" } = await this.#s3.send(new GetObjectCommand({ Bucket: this.#bucket, Key: key }));
      const text = (await Body?.transformToString()) ?? "";
      return { ...NewestFleetLock.parse(JSON.parse(text)), etag: ETag };
    } catch (error) {
      if (error instanceof NoSuchKey) return null;
      throw error;
    }
  }

  /** @returns false when the condition does not hold */
  async #put(key: string, Body: Buffer, condition: { IfNoneMatch: string } | { IfMatch: string }): Promise<boolean> {
    try {
      await this.#s3.send(new PutObjectCommand({ Bucket: this.#bucket, Key: key, Body, ...condition }));
      return true;
    } catch (error) {
      if (error instanceof S3ServiceException && error.name === "PreconditionFailed") return false;
      throw error;
    }
  }
}
