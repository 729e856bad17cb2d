import {
  CopyObjectCommand,
  HeadObjectCommand,
  type HeadObjectCommandOutput,
  S3Client,
  S3ServiceException,
} from "@aws-sdk/client-s3";
import type { LockEntry } from "../../contract/lock.ts";
import { KEYS } from "../../contract/names.ts";

/** Objects looked at at the same time. */
const AT_ONCE = 10;

type Wanted = Pick<LockEntry, "name" | "version" | "sha256" | "size">;
export type Taken = "taken" | "known" | "missing";

/** The fleet's .debs by SHA-256. Hosts offer, each under its own prefix; only what a signed lock names is taken over, and once. */
export class DebPool {
  readonly #s3 = new S3Client({});
  readonly #bucket: string;

  constructor(bucket: string) {
    this.#bucket = bucket;
  }

  /** Takes over what the pool lacks. @param offerers `aws:userid` of those to look at, in order @returns what became of each */
  async fill(wanted: readonly Wanted[], offerers: readonly string[]): Promise<Map<Wanted, Taken>> {
    const ends = new Map<Wanted, Taken>();
    for (let start = 0; start < wanted.length; start += AT_ONCE) {
      const some = wanted.slice(start, start + AT_ONCE);
      const taken = await Promise.all(some.map((one) => this.#take(one, offerers)));
      for (const [index, one] of some.entries()) ends.set(one, taken[index] ?? "missing");
    }
    return ends;
  }

  async #take(wanted: Wanted, offerers: readonly string[]): Promise<Taken> {
    if ((await this.#head(KEYS.pool(wanted.sha256))) !== null) return "known";
    for (const userId of offerers) {
      const key = KEYS.offeredDeb(userId, wanted.sha256);
      const offered = await this.#head(key);
      if (offered === null || !isVery(offered, wanted)) continue;
      return (await this.#copy(key, offered.VersionId, wanted)) ? "taken" : "known";
    }
    return "missing";
  }

  /**
   * Copies the version that was looked at, whatever its host has put there since. Metadata and tags are the host's words and stay behind.
   * @returns false when somebody else was first
   */
  async #copy(key: string, version: string | undefined, { sha256, size }: Wanted): Promise<boolean> {
    const source = `${this.#bucket}/${key.split("/").map(encodeURIComponent).join("/")}`;
    try {
      const { CopyObjectResult } = await this.#s3.send(
        new CopyObjectCommand({
          Bucket: this.#bucket,
          Key: KEYS.pool(sha256),
          CopySource: version === undefined ? source : `${source}?versionId=${version}`,
          IfNoneMatch: "*",
          ChecksumAlgorithm: "SHA256",
          MetadataDirective: "REPLACE",
          TaggingDirective: "REPLACE",
          ContentType: "application/vnd.debian.binary-package",
        }),
      );
      if (CopyObjectResult?.ChecksumSHA256 === base64(sha256)) return true;
      const found = CopyObjectResult?.ChecksumSHA256 ?? "none";
      throw new Error(`${KEYS.pool(sha256)}: ${size} bytes were copied, and their checksum is ${found}`);
    } catch (error) {
      if (error instanceof S3ServiceException && error.name === "PreconditionFailed") return false;
      throw error;
    }
  }

  /** @returns null when there is none */
  async #head(Key: string): Promise<HeadObjectCommandOutput | null> {
    try {
      return await this.#s3.send(new HeadObjectCommand({ Bucket: this.#bucket, Key, ChecksumMode: "ENABLED" }));
    } catch (error) {
      if (error instanceof S3ServiceException && error.$metadata.httpStatusCode === 404) return null;
      throw error;
    }
  }
}

/** By the checksum that S3 itself has computed of the whole; one of an object in parts is no such thing. */
function isVery({ ContentLength, ChecksumSHA256 }: HeadObjectCommandOutput, { sha256, size }: Wanted): boolean {
  return ContentLength === size && ChecksumSHA256 === base64(sha256);
}

function base64(hex: string): string {
  return Buffer.from(hex, "hex").toString("base64");
}
