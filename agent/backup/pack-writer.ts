import { createHash } from "node:crypto";
import { closeSync, openSync, writeSync } from "node:fs";
import { promisify } from "node:util";
import { constants, zstdCompress } from "node:zlib";
import { TAR_END } from "../host/tar.ts";
import type { Pack } from "./manifest.ts";

const compress = promisify(zstdCompress);
/** Plain bytes at which a frame ends with the member it is in, and at which it ends in the middle of one. */
const FRAME = 4 << 20;
const LARGEST = 8 << 20;
/** Frames that are compressed at once; more only fill memory. */
const AT_ONCE = 3;
const OPTIONS = {
  // Room for a frame's whole output: each further piece is a round trip to the thread.
  chunkSize: LARGEST + (1 << 16),
  params: { [constants.ZSTD_c_compressionLevel]: 1, [constants.ZSTD_c_checksumFlag]: 1 },
};

/** Compresses an archive as it comes, frame by frame in the threads of node:zlib, and hashes what it writes. */
export class PackWriter {
  readonly #fd: number;
  readonly #hash = createHash("sha256");
  readonly #frames: Pack["frames"] = [];
  /** What the current frame is gathered in: taken again and again, as fresh memory costs more than its compression. */
  #plain: Buffer = Buffer.allocUnsafeSlow(LARGEST);
  readonly #free: Buffer[] = [];
  #first: string | null = null;
  #size = 0;
  #bytes = 0;
  #plainBytes = 0;
  /** Frames on their way to the file, oldest first. */
  readonly #under: Promise<void>[] = [];

  /** @param full the file, which must not be there yet */
  constructor(full: string) {
    this.#fd = openSync(full, "wx", 0o600);
  }

  /** A member of the archive begins. */
  begin(path: string): void {
    const goesOn = this.#size > 0 && this.#first === null;
    if (this.#size >= FRAME || goesOn) this.#cut();
    if (this.#size === 0) this.#first = path;
  }

  write(piece: Buffer): void {
    for (let done = 0; done < piece.length; ) {
      const copied = piece.copy(this.#plain, this.#size, done);
      done += copied;
      this.#size += copied;
      if (this.#size === LARGEST) this.#cut();
    }
  }

  /** Settles when there is room for more; undefined when there is now. */
  busy(): Promise<void> | undefined {
    return this.#under.length < AT_ONCE ? undefined : this.#under[0];
  }

  /** Ends the archive. What it holds is on its way to the disk, not synced. */
  async close(): Promise<Pick<Pack, "bytes" | "sha256" | "plainBytes" | "frames">> {
    this.write(TAR_END);
    if (this.#size > 0) this.#cut();
    try {
      await Promise.all(this.#under);
    } finally {
      closeSync(this.#fd);
    }
    const [bytes, plainBytes, frames] = [this.#bytes, this.#plainBytes, this.#frames];
    return { bytes, sha256: this.#hash.digest("hex"), plainBytes, frames };
  }

  /** After a failure. */
  async abandon(): Promise<void> {
    await Promise.allSettled(this.#under);
    closeSync(this.#fd);
  }

  #cut(): void {
    const [plain, size, first] = [this.#plain, this.#size, this.#first];
    this.#plain = this.#free.pop() ?? Buffer.allocUnsafeSlow(LARGEST);
    this.#plainBytes += size;
    this.#size = 0;
    this.#first = null;
    const before = this.#under.at(-1);
    const written = Promise.all([compress(plain.subarray(0, size), OPTIONS), before]).then(([frame]) => {
      this.#free.push(plain);
      this.#hash.update(frame);
      for (let done = 0; done < frame.length; ) done += writeSync(this.#fd, frame, done);
      this.#frames.push({ bytes: frame.length, first });
      this.#bytes += frame.length;
      this.#under.shift();
    });
    this.#under.push(written);
    // Whoever waits is told; until somebody does, a rejection must not end the process.
    written.catch(() => undefined);
  }
}
