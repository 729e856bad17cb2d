import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { promisify } from "node:util";
import { constants, zstdCompress, zstdDecompress } from "node:zlib";
import { Failure } from "../../contract/failures.ts";
import type { PathStat, PathType, Tree } from "./tree.ts";

const compress = promisify(zstdCompress);
const decompress = promisify(zstdDecompress);
const HEADER = "autopatch-tree 1";
const LETTERS: Readonly<Record<PathType, string>> = { file: "f", directory: "d", link: "l", other: "o" };
const TYPES = new Map(Object.entries(LETTERS).map(([type, letter]) => [letter, type as PathType]));

/**
 * Writes a tree as zstd-compressed lines of JSON, one path each: what `zstdcat` shows can be read by a person.
 * @returns SHA-256 of the file
 */
export async function writeTree(full: string, tree: Tree): Promise<string> {
  const lines = [JSON.stringify([HEADER, tree.skipped])];
  // By hand: JSON.stringify of a whole row takes four times as long, and only names need it.
  for (const [path, s] of tree.paths) {
    const target = s.target === null ? "null" : JSON.stringify(s.target);
    const shared = s.shared === null ? "null" : `"${s.shared}"`;
    lines.push(
      `[${JSON.stringify(path)},"${LETTERS[s.type]}",${s.mode},${s.uid},${s.gid},${s.size},"${s.mtime}","${s.ctime}",${target},${shared}]`,
    );
  }
  const packed = await compress(Buffer.from(lines.join("\n")), {
    chunkSize: 1 << 20,
    params: { [constants.ZSTD_c_compressionLevel]: 1 },
  });
  writeFileSync(full, packed, { mode: 0o600 });
  return createHash("sha256").update(packed).digest("hex");
}

/** @throws Failure `backupInvalid` when it is not a tree that writeTree wrote. */
export async function readTree(full: string): Promise<Tree> {
  try {
    const text = (await decompress(readFileSync(full), { chunkSize: 4 << 20 })).toString("utf8");
    const [first, ...rows] = JSON.parse(`[${text.replaceAll("\n", ",")}]`) as [[string, Tree["skipped"]], ...Row[]];
    const [header, skipped] = first;
    if (header !== HEADER) throw new Error(`not "${HEADER}"`);
    const paths = new Map<string, PathStat>();
    for (const [path, letter, mode, uid, gid, size, mtime, ctime, target, shared] of rows) {
      const type = TYPES.get(letter);
      if (type === undefined) throw new Error(`unknown type ${letter} of ${path}`);
      paths.set(path, { type, mode, uid, gid, size, mtime, ctime, target, shared });
    }
    return { paths, skipped };
  } catch (cause) {
    throw new Failure("backupInvalid", `${full} cannot be read: ${(cause as Error).message}`, { cause });
  }
}

type Row = [string, string, number, number, number, number, string, string, string | null, string | null];
