import { Failure } from "../../contract/failures.ts";

/** One member of a tar archive as it streams by. Its body must be read to the end before the next member comes. */
export interface TarMember {
  /** Absolute path. */
  readonly path: string;
  readonly type: "file" | "directory" | "link" | "other";
  readonly size: number;
  /** Extended attributes by name, in base64; file capabilities and access control lists are among them. */
  readonly xattrs: Readonly<Record<string, string>>;
  /** All header blocks of the member, extended ones included, byte for byte. */
  readonly head: Buffer;
  /** The content, then the padding to a whole block as a last chunk with `padding` true. */
  readonly body: AsyncGenerator<{ readonly bytes: Buffer; readonly padding: boolean }>;
}

const BLOCK = 512;
const TYPES: Readonly<Record<string, TarMember["type"]>> = { "0": "file", "5": "directory", "2": "link" };

/**
 * Reads a POSIX (pax) archive as GNU tar writes it.
 * @throws Failure `backupInvalid` when it ends too early or a header does not match its checksum
 */
export async function* tarMembers(source: AsyncIterable<Buffer>): AsyncGenerator<TarMember> {
  const reader = blocks(source);
  let extended: Map<string, Buffer> = new Map();
  let heads: Buffer[] = [];
  for (;;) {
    const header = await reader.exactly(BLOCK);
    if (header === null) throw damaged("the archive is cut short");
    if (header.every((byte) => byte === 0)) return;
    checkSum(header);
    const flag = String.fromCharCode(header[156] ?? 0).replace("\0", "0");
    const own = Number.parseInt(text(header, 124, 12).trim() || "0", 8);
    heads.push(header);
    if (flag === "x" || flag === "g") {
      const padded = await reader.exactly(Math.ceil(own / BLOCK) * BLOCK);
      if (padded === null) throw damaged("the archive is cut short");
      heads.push(padded);
      if (flag === "x") extended = records(padded.subarray(0, own));
      continue;
    }
    const sizeRecord = extended.get("size");
    const size = sizeRecord === undefined ? own : Number(sizeRecord.toString());
    const body = reader.body(size);
    yield {
      path: absolute(extended.get("path")?.toString("utf8") ?? ustarName(header)),
      type: TYPES[flag] ?? "other",
      size,
      xattrs: xattrsOf(extended),
      head: Buffer.concat(heads),
      body,
    };
    for await (const _ of body) {
      // What the caller left unread.
    }
    extended = new Map();
    heads = [];
  }
}

/** Two empty blocks: the end of an archive. */
export const TAR_END = Buffer.alloc(2 * BLOCK);

function blocks(source: AsyncIterable<Buffer>) {
  const iterator = source[Symbol.asyncIterator]();
  let rest: Buffer = Buffer.alloc(0);
  const more = async (): Promise<boolean> => {
    const next = await iterator.next();
    if (next.done) return false;
    rest = rest.length === 0 ? next.value : Buffer.concat([rest, next.value]);
    return true;
  };
  return {
    async exactly(count: number): Promise<Buffer | null> {
      while (rest.length < count) if (!(await more())) return null;
      const taken = rest.subarray(0, count);
      rest = rest.subarray(count);
      return taken;
    },
    async *body(size: number): AsyncGenerator<{ bytes: Buffer; padding: boolean }> {
      for (let left = size; left > 0; ) {
        if (rest.length === 0 && !(await more())) throw damaged("the archive is cut short");
        const bytes = rest.subarray(0, Math.min(left, rest.length));
        rest = rest.subarray(bytes.length);
        left -= bytes.length;
        yield { bytes, padding: false };
      }
      const gap = (BLOCK - (size % BLOCK)) % BLOCK;
      const padding = await this.exactly(gap);
      if (padding === null) throw damaged("the archive is cut short");
      if (gap > 0) yield { bytes: padding, padding: true };
    },
  };
}

function checkSum(header: Buffer): void {
  let sum = 8 * 0x20;
  for (let i = 0; i < BLOCK; i++) if (i < 148 || i >= 156) sum += header[i] ?? 0;
  if (sum !== Number.parseInt(text(header, 148, 8).trim(), 8)) throw damaged("a header does not match its checksum");
}

function records(bytes: Buffer): Map<string, Buffer> {
  const found = new Map<string, Buffer>();
  for (let at = 0; at < bytes.length; ) {
    const space = bytes.indexOf(0x20, at);
    const length = Number(bytes.toString("latin1", at, space));
    const equals = bytes.indexOf(0x3d, space);
    if (space < 0 || equals < 0 || !(length > 0)) throw damaged("an extended header cannot be read");
    found.set(bytes.toString("utf8", space + 1, equals), bytes.subarray(equals + 1, at + length - 1));
    at += length;
  }
  return found;
}

function xattrsOf(extended: Map<string, Buffer>): Record<string, string> {
  const found: Record<string, string> = {};
  for (const [key, value] of extended) {
    if (key.startsWith("SCHILY.xattr.")) found[key.slice("SCHILY.xattr.".length)] = value.toString("base64");
    else if (key.startsWith("SCHILY.acl.")) found[key] = value.toString("base64");
  }
  return found;
}

function ustarName(header: Buffer): string {
  const prefix = text(header, 345, 155);
  const name = text(header, 0, 100);
  return prefix === "" ? name : `${prefix}/${name}`;
}

function absolute(name: string): string {
  return `/${name.replace(/^\.?\/+/, "").replace(/\/+$/, "")}`;
}

function text(header: Buffer, from: number, length: number): string {
  const field = header.subarray(from, from + length);
  const end = field.indexOf(0);
  return field.toString("utf8", 0, end < 0 ? length : end);
}

function damaged(why: string): Failure {
  return new Failure("backupInvalid", `files.tar.zst: ${why}`);
}
