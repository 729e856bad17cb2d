import { createHash, randomBytes } from "node:crypto";
import { type Checksum, compositeChecksum } from "./body.ts";
import { s3Errors } from "./errors.ts";
import type { BucketStore, ObjectVersion } from "./store.ts";

interface Part {
  readonly content: Buffer;
  readonly etag: string;
  readonly checksum: Checksum | null;
  readonly at: Date;
}

interface Upload {
  readonly bucket: string;
  readonly key: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly parts: Map<number, Part>;
}

const SMALLEST_PART = 5 * 1024 * 1024;
const MOST_PARTS = 10_000;

/** A part as the call that ends an upload names it. */
export interface NamedPart {
  readonly number: number;
  readonly etag: string;
  /** What the caller says of its content. */
  readonly checksums: readonly { readonly name: string; readonly value: string }[];
}

/** Uploads in parts that are under way. Parts wait in memory. */
export class Uploads {
  readonly #store: BucketStore;
  readonly #now: () => Date;
  readonly #uploads = new Map<string, Upload>();

  constructor(store: BucketStore, now: () => Date) {
    this.#store = store;
    this.#now = now;
  }

  /** Gives the upload's id. */
  create(bucket: string, key: string, headers: Readonly<Record<string, string>>): string {
    this.#store.versions(bucket, key);
    const id = randomBytes(24).toString("base64url");
    this.#uploads.set(id, { bucket, key, headers, parts: new Map() });
    return id;
  }

  /** @throws AwsError NoSuchUpload, InvalidArgument */
  addPart(
    id: string,
    at: { bucket: string; key: string },
    number: number,
    content: Buffer,
    checksum: Checksum | null,
  ): Part {
    const upload = this.#find(id, at);
    if (!Number.isInteger(number) || number < 1 || number > MOST_PARTS) {
      throw s3Errors.invalidArgument("partNumber", String(number));
    }
    const etag = `"${createHash("md5").update(content).digest("hex")}"`;
    const part = { content, etag, checksum, at: this.#now() };
    upload.parts.set(number, part);
    return part;
  }

  /** By number. */
  parts(id: string, at: { bucket: string; key: string }): [number, Part][] {
    return [...this.#find(id, at).parts].sort(([a], [b]) => a - b);
  }

  /** Puts the named parts together into a new version. @throws AwsError InvalidPart, InvalidPartOrder, EntityTooSmall */
  async complete(
    id: string,
    at: { bucket: string; key: string },
    named: readonly NamedPart[],
    allow: (current: ObjectVersion | undefined) => void,
  ): Promise<ObjectVersion> {
    const upload = this.#find(id, at);
    if (named.length === 0) throw s3Errors.malformed();
    if (named.some(({ number }, index) => index > 0 && number <= (named[index - 1]?.number ?? 0))) {
      throw s3Errors.invalidPartOrder();
    }
    const parts = named.map(({ number, etag, checksums }, index) => {
      const part = upload.parts.get(number);
      if (part === undefined || part.etag.replaceAll('"', "") !== etag.replaceAll('"', ""))
        throw s3Errors.invalidPart();
      const kept = part.checksum;
      if (checksums.some(({ name, value }) => kept?.name !== name || kept.value !== value))
        throw s3Errors.invalidPart();
      if (part.content.length < SMALLEST_PART && index < named.length - 1) throw s3Errors.tooSmall();
      return part;
    });
    const digests = parts.map((part) => Buffer.from(part.etag.replaceAll('"', ""), "hex"));
    const version = await this.#store.put(
      at.bucket,
      at.key,
      {
        content: Buffer.concat(parts.map((part) => part.content)),
        headers: upload.headers,
        etag: `"${createHash("md5").update(Buffer.concat(digests)).digest("hex")}-${parts.length}"`,
        checksum: compositeChecksum(parts.flatMap((part) => part.checksum ?? [])),
      },
      allow,
    );
    this.#uploads.delete(id);
    return version;
  }

  abort(id: string, at: { bucket: string; key: string }): void {
    this.#find(id, at);
    this.#uploads.delete(id);
  }

  #find(id: string, { bucket, key }: { bucket: string; key: string }): Upload {
    const upload = this.#uploads.get(id);
    if (upload === undefined || upload.bucket !== bucket || upload.key !== key) throw s3Errors.noSuchUpload(id);
    return upload;
  }
}
