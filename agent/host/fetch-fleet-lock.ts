import { GetObjectCommand } from "@aws-sdk/client-s3";
import { Failure } from "../../contract/failures.ts";
import { FLEET_LOCK_LIMIT } from "../../contract/fleet-lock.ts";
import type { Cloud } from "./cloud.ts";
import { openStorage } from "./storage.ts";

const DEADLINE_MS = 60_000;

/** A document with the signature beside it; whoever reads it checks one by the other first. */
export interface SignedDocument {
  readonly document: Buffer;
  readonly signature: string;
  /** Where it was, for messages. */
  readonly from: string;
}

/**
 * Gets a fleet lock, and the signature beside it, with the rights of the host's own role.
 * @throws Failure `downloadFailed`, `fleetLockRefused` when it is too long
 */
export async function fetchFleetLock(cloud: Cloud, key: string): Promise<SignedDocument> {
  const storage = openStorage(cloud);
  const get = async (name: string) => {
    const from = `s3://${cloud.bucket}/${name}`;
    try {
      const command = new GetObjectCommand({ Bucket: cloud.bucket, Key: name });
      const got = await storage.s3.send(command, { abortSignal: AbortSignal.timeout(DEADLINE_MS) });
      if ((got.ContentLength ?? 0) > FLEET_LOCK_LIMIT)
        throw new Failure("fleetLockRefused", `${from} has ${got.ContentLength} bytes, no fleet lock is that long`);
      return Buffer.from((await got.Body?.transformToByteArray()) ?? new Uint8Array());
    } catch (cause) {
      if (cause instanceof Failure) throw cause;
      throw new Failure("downloadFailed", `${from}: ${(cause as Error).name}: ${(cause as Error).message}`, { cause });
    }
  };
  try {
    const [document, signature] = [await get(key), (await get(`${key}.sig`)).toString("latin1")];
    return { document, signature, from: `s3://${cloud.bucket}/${key}` };
  } finally {
    storage.close();
  }
}
