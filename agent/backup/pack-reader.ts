import { closeSync, openSync, readSync } from "node:fs";
import { promisify } from "node:util";
import { zstdDecompress } from "node:zlib";
import { Failure } from "../../contract/failures.ts";
import type { RawMember } from "../host/put-back.ts";
import { type TarMember, TarReader } from "../host/tar.ts";
import type { Pack } from "./manifest.ts";
import { byPath } from "./path-set.ts";

const decompress = promisify(zstdDecompress);
const OPTIONS = { chunkSize: (8 << 20) + 1, maxOutputLength: 64 << 20 };
/** Frames that are decompressed ahead of the reader. */
const AHEAD = 2;

/** Which frames of a pack must be read to have some paths. Pure: members lie in the order of their paths. */
export function framesWith(frames: Pack["frames"], paths: readonly string[]): boolean[] {
  const begins = frames.flatMap(({ first }, i) => (first === null ? [] : [{ first, i }]));
  const wanted = frames.map(() => false);
  for (const path of paths) {
    let [low, high] = [0, begins.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (byPath((begins[middle] as { first: string }).first, path) <= 0) low = middle + 1;
      else high = middle;
    }
    const found = begins[low - 1];
    if (found !== undefined) for (let i = found.i; i < (begins[low]?.i ?? frames.length); i++) wanted[i] = true;
  }
  return wanted;
}

/**
 * The plain bytes of some frames of a pack, in order.
 * @throws Failure `backupInvalid` when one cannot be decompressed
 */
export async function* frameBytes(
  full: string,
  pack: Pack,
  wanted: readonly boolean[] = pack.frames.map(() => true),
): AsyncGenerator<Buffer> {
  const fd = openSync(full, "r");
  const ahead: Promise<Buffer>[] = [];
  try {
    let at = 0;
    for (const [i, { bytes }] of pack.frames.entries()) {
      const from = at;
      at += bytes;
      if (wanted[i] !== true) continue;
      const frame = decompress(readExactly(fd, from, bytes), OPTIONS);
      // It is looked at in its turn.
      frame.catch(() => undefined);
      ahead.push(frame);
      if (ahead.length > AHEAD) yield await (ahead.shift() as Promise<Buffer>);
    }
    for (let next = ahead.shift(); next !== undefined; next = ahead.shift()) yield await next;
  } catch (cause) {
    throw cause instanceof Failure
      ? cause
      : new Failure("backupInvalid", `${full}: ${(cause as Error).message}`, { cause });
  } finally {
    await Promise.allSettled(ahead);
    closeSync(fd);
  }
}

/**
 * Some members of a pack, in order, each as its own small archive without an end.
 * @throws Failure `backupInvalid`
 */
export async function* rawMembers(full: string, pack: Pack, paths: ReadonlySet<string>): AsyncGenerator<RawMember> {
  const whole: RawMember[] = [];
  let current: { path: string; type: TarMember["type"]; raw: Buffer[] } | null = null;
  const reader = new TarReader({
    member: ({ path, type }) => {
      current = paths.has(path) ? { path, type, raw: [] } : null;
    },
    bytes: (raw) => current?.raw.push(raw),
    end: () => {
      if (current !== null) whole.push(current);
      current = null;
    },
  });
  for await (const bytes of frameBytes(full, pack, framesWith(pack.frames, [...paths]))) {
    reader.push(bytes);
    yield* whole.splice(0);
  }
  reader.close(false);
}

function readExactly(fd: number, from: number, length: number): Buffer {
  const bytes = Buffer.allocUnsafe(length);
  for (let done = 0; done < length; ) {
    const got = readSync(fd, bytes, done, length - done, from + done);
    if (got === 0) throw new Error("it is cut short");
    done += got;
  }
  return bytes;
}
