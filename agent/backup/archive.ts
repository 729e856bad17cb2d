import { createHash } from "node:crypto";
import { createReadStream, createWriteStream } from "node:fs";
import { pipeline } from "node:stream/promises";
import { constants, createZstdCompress, createZstdDecompress } from "node:zlib";
import { tarMembers } from "../host/tar.ts";

const CHUNK = 1 << 20;

/** What an archive holds of one path. */
export interface Archived {
  readonly type: "file" | "directory" | "link" | "other";
  readonly size: number;
  /** Of the content; that of nothing for folders and links. */
  readonly sha256: string;
  readonly xattrs: Readonly<Record<string, string>>;
}

/** The members of an uncompressed archive, each file's content hashed. */
export async function archivedMembers(source: AsyncIterable<Buffer>): Promise<Map<string, Archived>> {
  const found = new Map<string, Archived>();
  for await (const member of tarMembers(source)) {
    const hash = createHash("sha256");
    for await (const { bytes, padding } of member.body) if (!padding) hash.update(bytes);
    const { type, size, xattrs } = member;
    found.set(member.path, { type, size, xattrs, sha256: hash.digest("hex") });
  }
  return found;
}

/** Reads an uncompressed archive. */
export function openTar(full: string): AsyncIterable<Buffer> {
  return createReadStream(full, { highWaterMark: CHUNK });
}

/** Reads a compressed archive; an error of the file or of zstd comes out of the iteration. */
export function openPacked(full: string): AsyncIterable<Buffer> {
  const source = createReadStream(full, { highWaterMark: CHUNK });
  const plain = createZstdDecompress({ chunkSize: CHUNK });
  pipeline(source, plain).catch((error: Error) => plain.destroy(error));
  return plain;
}

/** Compresses an archive at level 1, in one thread: node:zlib cuts the output short with more. */
export async function compressArchive(from: string, to: string): Promise<void> {
  await pipeline(
    createReadStream(from, { highWaterMark: CHUNK }),
    createZstdCompress({ chunkSize: CHUNK, params: { [constants.ZSTD_c_compressionLevel]: 1 } }),
    createWriteStream(to, { mode: 0o600, highWaterMark: CHUNK }),
  );
}
