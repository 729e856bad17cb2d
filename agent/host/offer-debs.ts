import { HeadObjectCommand } from "@aws-sdk/client-s3";
import type { LockEntry } from "../../contract/lock.ts";
import { HOST_PATHS, KEYS } from "../../contract/names.ts";
import type { Cloud } from "./cloud.ts";
import { onMachine } from "./files.ts";
import type { Machine } from "./machine.ts";
import { uploadFile } from "./object-upload.ts";
import { openStorage, type Storage } from "./storage.ts";

/** A larger one would be sent in parts, which have no SHA-256 of the whole, or not fit into a small host's memory. */
const LARGEST = 256 << 20;
/** For all of them together. */
const DEADLINE_MS = 300_000;
/** S3's answers for what is not there, to whoever may not list the bucket. */
const ABSENT = [403, 404];

/**
 * Puts verified .debs under this host's own prefix, for the pool to take over once they are proven; those that the pool has are left.
 * Whatever cannot be put is said and left too: the pool is a second source, the repositories are the first.
 * @returns names of what was put
 */
export async function offerDebs(machine: Machine, cloud: Cloud, entries: readonly LockEntry[]): Promise<string[]> {
  const { bucket } = cloud;
  const storage = openStorage(cloud, { attempts: 3, requestMs: 60_000 });
  const until = machine.clock.now().getTime() + DEADLINE_MS;
  const put: string[] = [];
  const left = (entry: LockEntry, why: string) =>
    machine.log.warn(`${entry.name} ${entry.version} is not offered to the fleet's pool: ${why}`);
  try {
    const userId = await storage.userId();
    for (const entry of entries) {
      const { file, sha256, size } = entry;
      if (size > LARGEST) left(entry, `it has ${size} bytes, more than ${LARGEST}`);
      else if (machine.clock.now().getTime() > until) left(entry, `not within ${DEADLINE_MS / 1_000} s`);
      else if (!(await poolHas(storage, bucket, sha256))) {
        const full = onMachine(machine, `${HOST_PATHS.archives}/${file}`);
        await uploadFile(
          machine,
          { storage, bucket },
          { full, key: KEYS.offeredDeb(userId, sha256), sha256, size },
          LARGEST,
        );
        put.push(entry.name);
      }
    }
  } catch (error) {
    machine.log.warn(`the fleet's pool is offered nothing more: ${(error as Error).message}`);
  } finally {
    storage.close();
  }
  machine.log.info(`offered to the fleet's pool: ${put.length === 0 ? "nothing it lacks" : put.join(", ")}`);
  return put;
}

async function poolHas({ s3 }: Storage, bucket: string, sha256: string): Promise<boolean> {
  try {
    await s3.send(new HeadObjectCommand({ Bucket: bucket, Key: KEYS.pool(sha256) }));
    return true;
  } catch (error) {
    const status = (error as { $metadata?: { httpStatusCode?: number } }).$metadata?.httpStatusCode ?? 0;
    if (ABSENT.includes(status)) return false;
    throw error;
  }
}
