import { GetObjectCommand } from "@aws-sdk/client-s3";
import { KEYS } from "../../contract/names.ts";
import type { Cloud } from "./cloud.ts";
import { writeOwn } from "./files.ts";
import type { Machine } from "./machine.ts";
import { openStorage, type Patience } from "./storage.ts";

const LARGEST = 1 << 30;
const DEADLINE_MS = 60_000;
/** S3's word for what is not there, to whoever may not list the bucket. */
const ABSENT = ["NoSuchKey", "AccessDenied"];

/** The .debs that hosts of the fleet have put into S3, by hash. */
export interface Pool {
  /**
   * Gets one. Whoever asks holds the bytes against the hash.
   * @returns null when it is there now, else why not
   */
  fetch(machine: Machine, sha256: string, to: string): Promise<string | null>;
  close(): void;
}

/**
 * A pool that cannot be reached is asked once, not for every package.
 * @param patience for one package. @default that of an upload
 */
export function openPool(cloud: Cloud, patience?: Patience): Pool {
  const { s3, close } = openStorage(cloud, patience);
  let unreachable: string | null = null;
  return {
    fetch: async (machine, sha256, to) => {
      if (unreachable !== null) return unreachable;
      try {
        const asked = new GetObjectCommand({ Bucket: cloud.bucket, Key: KEYS.pool(sha256) });
        const got = await s3.send(asked, { abortSignal: AbortSignal.timeout(DEADLINE_MS) });
        if ((got.ContentLength ?? 0) > LARGEST) return "the pool's file is larger than 1 GiB";
        writeOwn(machine, to, (await got.Body?.transformToByteArray()) ?? new Uint8Array(), 0o600);
        return null;
      } catch (error) {
        const { name } = error as Error;
        if (ABSENT.includes(name)) return "the fleet's pool does not have it";
        unreachable = `the fleet's pool cannot be asked (${name})`;
        return unreachable;
      }
    },
    close,
  };
}
