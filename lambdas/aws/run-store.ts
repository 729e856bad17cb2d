import {
  GetObjectCommand,
  ListObjectsV2Command,
  NoSuchKey,
  PutObjectCommand,
  S3Client,
  S3ServiceException,
} from "@aws-sdk/client-s3";
import type { z } from "zod";

/** Objects read at the same time. */
const AT_ONCE = 20;

/** An object that is there and is not what it should be. */
export class UnfitObject extends Error {
  override readonly name = "UnfitObject";
}

/** The run's bucket. Every error but absence is thrown: what cannot be read is not "not there". */
export class RunStore {
  readonly #s3 = new S3Client({});
  readonly #bucket: string;

  constructor(bucket: string) {
    this.#bucket = bucket;
  }

  /** @returns undefined when there is no such object @throws UnfitObject */
  async read<S extends z.ZodType>(key: string, schema: S): Promise<z.output<S> | undefined> {
    return (await this.readVersion(key, schema))?.value;
  }

  /** With the ETag by which `writeOver` knows that nobody has written in between. @returns undefined when there is none @throws UnfitObject */
  async readVersion<S extends z.ZodType>(
    key: string,
    schema: S,
  ): Promise<{ readonly value: z.output<S>; readonly etag: string } | undefined> {
    let text: string;
    let etag: string;
    try {
      const { Body, ETag = "" } = await this.#s3.send(new GetObjectCommand({ Bucket: this.#bucket, Key: key }));
      text = (await Body?.transformToString()) ?? "";
      etag = ETag;
    } catch (error) {
      if (error instanceof NoSuchKey) return undefined;
      throw error;
    }
    try {
      return { value: schema.parse(JSON.parse(text)), etag };
    } catch (cause) {
      throw new UnfitObject(`s3://${this.#bucket}/${key}: not what it should be: ${cause}`, { cause });
    }
  }

  /** Reads many, by key; those that are not there are left out. */
  async readAll<S extends z.ZodType>(keys: readonly string[], schema: S): Promise<Map<string, z.output<S>>> {
    const found = new Map<string, z.output<S>>();
    for (let start = 0; start < keys.length; start += AT_ONCE) {
      const some = keys.slice(start, start + AT_ONCE);
      const values = await Promise.all(some.map((key) => this.read(key, schema)));
      for (const [index, value] of values.entries()) if (value !== undefined) found.set(some[index] ?? "", value);
    }
    return found;
  }

  async write(key: string, value: unknown): Promise<void> {
    await this.writeText(key, JSON.stringify(value), "application/json");
  }

  async writeText(key: string, text: string, contentType: string): Promise<void> {
    await this.#s3.send(new PutObjectCommand({ Bucket: this.#bucket, Key: key, Body: text, ContentType: contentType }));
  }

  /** Writes only where there is nothing yet. @returns whether it did */
  writeNew(key: string, value: unknown): Promise<boolean> {
    return this.#writeWhen(key, value, { IfNoneMatch: "*" });
  }

  /** Writes only over the very version with this ETag. @returns whether it did */
  writeOver(key: string, value: unknown, etag: string): Promise<boolean> {
    return this.#writeWhen(key, value, { IfMatch: etag });
  }

  async #writeWhen(
    key: string,
    value: unknown,
    condition: { readonly IfNoneMatch: string } | { readonly IfMatch: string },
  ): Promise<boolean> {
    const object = { Bucket: this.#bucket, Key: key, Body: JSON.stringify(value), ContentType: "application/json" };
    try {
      await this.#s3.send(new PutObjectCommand({ ...object, ...condition }));
      return true;
    } catch (error) {
      // Over an object that was deleted in between, S3 answers that there is none.
      const lost = error instanceof S3ServiceException && ["PreconditionFailed", "NoSuchKey"].includes(error.name);
      if (lost) return false;
      throw error;
    }
  }

  /** Every key that begins with the prefix. */
  async list(prefix: string): Promise<string[]> {
    const keys: string[] = [];
    let token: string | undefined;
    do {
      const page = await this.#s3.send(
        new ListObjectsV2Command({ Bucket: this.#bucket, Prefix: prefix, ContinuationToken: token }),
      );
      keys.push(...(page.Contents ?? []).flatMap(({ Key }) => (Key === undefined ? [] : [Key])));
      token = page.NextContinuationToken;
    } while (token !== undefined);
    return keys;
  }
}
