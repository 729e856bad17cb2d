import { createHash, randomBytes } from "node:crypto";
import { mkdirSync } from "node:fs";
import { readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Checksum } from "./body.ts";
import { s3Errors } from "./errors.ts";

/** One version of an object; its content lies in a file of its own. */
export interface ObjectVersion {
  readonly key: string;
  readonly versionId: string;
  readonly lastModified: Date;
  /** A delete marker has no content. */
  readonly isDeleteMarker: boolean;
  readonly size: number;
  /** With its quotation marks. */
  readonly etag: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly checksum: Checksum | null;
}

export interface NewObject {
  readonly content: Uint8Array;
  readonly headers: Readonly<Record<string, string>>;
  readonly checksum: Checksum | null;
  /** @default the MD5 of the content */
  readonly etag?: string;
}

const LONGEST_KEY_BYTES = 1024;

/** Buckets with versioning on: metadata in memory, content on disk in one folder. */
export class BucketStore {
  readonly #folder: string;
  readonly #now: () => Date;
  /** By bucket and key, newest version last. */
  readonly #buckets = new Map<string, { readonly createdAt: Date; readonly keys: Map<string, ObjectVersion[]> }>();

  /** @param folder is made; the caller removes it */
  constructor(folder: string, now: () => Date) {
    this.#folder = folder;
    this.#now = now;
    mkdirSync(folder, { recursive: true, mode: 0o700 });
  }

  createBucket(name: string): void {
    if (!this.#buckets.has(name)) this.#buckets.set(name, { createdAt: this.#now(), keys: new Map() });
  }

  buckets(): { name: string; createdAt: Date }[] {
    return [...this.#buckets]
      .map(([name, { createdAt }]) => ({ name, createdAt }))
      .sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  /** Newest last. @throws AwsError NoSuchBucket */
  versions(bucket: string, key: string): readonly ObjectVersion[] {
    return this.#keys(bucket).get(key) ?? [];
  }

  /** What GET without a version would find. */
  current(bucket: string, key: string): ObjectVersion | undefined {
    const newest = this.versions(bucket, key).at(-1);
    return newest?.isDeleteMarker ? undefined : newest;
  }

  /** Keys in the order S3 lists them, by their UTF-8 bytes. */
  keys(bucket: string): string[] {
    return [...this.#keys(bucket).keys()].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
  }

  /**
   * Stores a new version. `allow` looks at the current one at the moment of writing and throws to refuse: of two creations at
   * once, one is refused.
   */
  async put(
    bucket: string,
    key: string,
    { content, headers, checksum, etag }: NewObject,
    allow: (current: ObjectVersion | undefined) => void = () => {},
  ): Promise<ObjectVersion> {
    if (Buffer.byteLength(key) > LONGEST_KEY_BYTES) throw s3Errors.keyTooLong();
    allow(this.current(bucket, key));
    const versionId = randomBytes(16).toString("hex");
    await writeFile(this.#file(versionId), content);
    try {
      allow(this.current(bucket, key));
    } catch (error) {
      await rm(this.#file(versionId));
      throw error;
    }
    return this.#add(bucket, {
      key,
      versionId,
      lastModified: this.#now(),
      isDeleteMarker: false,
      size: content.length,
      etag: etag ?? `"${createHash("md5").update(content).digest("hex")}"`,
      headers,
      checksum,
    });
  }

  /** @throws AwsError NoSuchKey, NoSuchVersion, or MethodNotAllowed for the version of a delete marker */
  find(bucket: string, key: string, versionId: string | null): ObjectVersion {
    const current = this.current(bucket, key);
    if (versionId === null) {
      if (current === undefined) throw s3Errors.noSuchKey(key);
      return current;
    }
    const version = this.versions(bucket, key).find((one) => one.versionId === versionId);
    if (version === undefined) throw s3Errors.noSuchVersion(key, versionId);
    if (version.isDeleteMarker) throw s3Errors.deleteMarker();
    return version;
  }

  content(version: ObjectVersion): Promise<Buffer> {
    return readFile(this.#file(version.versionId));
  }

  /** Without a version a delete marker is laid over the object; with one that version is gone for good. */
  async delete(
    bucket: string,
    key: string,
    versionId: string | null,
  ): Promise<{ versionId: string; isMarker: boolean }> {
    if (versionId === null) {
      const marker = this.#add(bucket, {
        key,
        versionId: randomBytes(16).toString("hex"),
        lastModified: this.#now(),
        isDeleteMarker: true,
        size: 0,
        etag: "",
        headers: {},
        checksum: null,
      });
      return { versionId: marker.versionId, isMarker: true };
    }
    const keys = this.#keys(bucket);
    const gone = this.versions(bucket, key).find((one) => one.versionId === versionId);
    const left = this.versions(bucket, key).filter((one) => one !== gone);
    if (left.length === 0) keys.delete(key);
    else keys.set(key, left);
    if (gone !== undefined && !gone.isDeleteMarker) await rm(this.#file(versionId));
    return { versionId, isMarker: gone?.isDeleteMarker ?? false };
  }

  #keys(bucket: string): Map<string, ObjectVersion[]> {
    const found = this.#buckets.get(bucket);
    if (found === undefined) throw s3Errors.noSuchBucket(bucket);
    return found.keys;
  }

  #add(bucket: string, version: ObjectVersion): ObjectVersion {
    const keys = this.#keys(bucket);
    keys.set(version.key, [...(keys.get(version.key) ?? []), version]);
    return version;
  }

  #file(versionId: string): string {
    return join(this.#folder, versionId);
  }
}
