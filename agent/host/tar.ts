import { Failure } from "../../contract/failures.ts";

/** What the headers of a member say. */
export interface TarMember {
  /** Absolute path. */
  readonly path: string;
  readonly type: "file" | "directory" | "link" | "other";
  readonly size: number;
  /** Nanoseconds since 1970, in decimal; null when the archive does not tell. */
  readonly mtime: string | null;
  readonly ctime: string | null;
  /** Extended attributes by name, in base64; file capabilities and access control lists are among them. */
  readonly xattrs: Readonly<Record<string, string>>;
}

/** Told what stands in an archive, in order. Buffers are parts of what was pushed: whoever keeps one keeps the whole. */
export interface TarVisitor {
  member(member: TarMember): void;
  /** Bytes of the current member as they stand in the archive. @param part `head` and `padding` are not the file's own bytes */
  bytes(raw: Buffer, part: "head" | "content" | "padding"): void;
  end(): void;
}

const BLOCK = 512;
/** Two empty blocks: the end of an archive. */
export const TAR_END = Buffer.alloc(2 * BLOCK);
const TYPES: Readonly<Record<string, TarMember["type"]>> = { "0": "file", "5": "directory", "2": "link" };

/**
 * Reads a POSIX (pax) archive as GNU tar writes it, in pieces of any size, without copying content.
 * @throws Failure `backupInvalid` from `push` when a header does not match its checksum, from `close` when the archive is cut short
 */
export class TarReader {
  readonly #visitor: TarVisitor;
  #state: "header" | "extended" | "content" | "padding" | "end" = "header";
  /** Bytes still to come of the state. */
  #left = BLOCK;
  /** The beginning of a header that came in an earlier piece. */
  #held: Buffer[] = [];
  #heads: Buffer[] = [];
  #extendedSize = 0;
  #extended: Map<string, Buffer> = new Map();
  #size = 0;

  constructor(visitor: TarVisitor) {
    this.#visitor = visitor;
  }

  push(piece: Buffer): void {
    for (let at = 0; at < piece.length; ) {
      if (this.#state === "end") return;
      const part = piece.subarray(at, at + this.#left);
      at += part.length;
      this.#left -= part.length;
      if (this.#state === "content" || this.#state === "padding") this.#pass(part, this.#state);
      else if (this.#left > 0) this.#held.push(part);
      else this.#whole(this.#held.length === 0 ? part : Buffer.concat([...this.#held.splice(0), part]));
    }
  }

  /**
   * Says that nothing more comes.
   * @param whole the archive's end must have been seen; else it is enough that no member is cut. @default true
   */
  close(whole = true): void {
    const between = this.#state === "header" && this.#left === BLOCK && this.#heads.length === 0;
    if (this.#state !== "end" && (whole || !between)) throw damaged("the archive is cut short");
  }

  #pass(part: Buffer, state: "content" | "padding"): void {
    this.#visitor.bytes(part, state);
    if (this.#left > 0) return;
    const gap = (BLOCK - (this.#size % BLOCK)) % BLOCK;
    if (state === "content" && gap > 0) this.#expect("padding", gap);
    else this.#endMember();
  }

  #endMember(): void {
    this.#visitor.end();
    this.#expect("header", BLOCK);
  }

  #expect(state: "header" | "extended" | "content" | "padding", left: number): void {
    this.#state = state;
    this.#left = left;
  }

  #whole(block: Buffer): void {
    if (this.#state === "extended") {
      this.#heads.push(block);
      if (this.#extendedSize > 0) this.#extended = records(block.subarray(0, this.#extendedSize));
      this.#expect("header", BLOCK);
      return;
    }
    if (block[0] === 0 && block.every((byte) => byte === 0)) {
      this.#state = "end";
      return;
    }
    checkSum(block);
    const flag = String.fromCharCode(block[156] ?? 0).replace("\0", "0");
    const own = Number.parseInt(text(block, 124, 12).trim() || "0", 8);
    this.#heads.push(block);
    if ((flag === "x" || flag === "g") && own > 0) {
      // What holds for all members is nothing that GNU tar writes of its own accord.
      this.#extendedSize = flag === "x" ? own : 0;
      this.#expect("extended", Math.ceil(own / BLOCK) * BLOCK);
      return;
    }
    this.#begin(block, TYPES[flag] ?? "other", own);
  }

  #begin(header: Buffer, type: TarMember["type"], own: number): void {
    const extended = this.#extended;
    const [path, size, mtime, ctime] = ["path", "size", "mtime", "ctime"].map((key) => extended.get(key)?.toString());
    this.#size = size === undefined ? own : Number(size);
    this.#visitor.member({
      path: absolute(path ?? ustarName(header)),
      type,
      size: this.#size,
      mtime: nanoseconds(mtime ?? String(Number.parseInt(text(header, 136, 12).trim() || "0", 8))),
      ctime: ctime === undefined ? null : nanoseconds(ctime),
      xattrs: xattrsOf(extended),
    });
    for (const head of this.#heads.splice(0)) this.#visitor.bytes(head, "head");
    this.#extended = new Map();
    if (this.#size > 0) this.#expect("content", this.#size);
    else this.#endMember();
  }
}

/** Pure: seconds with a fraction, as in an extended header, in nanoseconds. */
export function nanoseconds(seconds: string): string {
  const [whole = "0", fraction = ""] = seconds.split(".");
  const below = fraction.padEnd(9, "0").slice(0, 9);
  if (/^[1-9]\d*$/.test(whole)) return whole + below;
  const sum = BigInt(whole) * 1_000_000_000n;
  return String(whole.startsWith("-") ? sum - BigInt(below) : sum + BigInt(below));
}

function checkSum(header: Buffer): void {
  let sum = 8 * 0x20;
  for (let i = 0; i < 148; i++) sum += header[i] as number;
  for (let i = 156; i < BLOCK; i++) sum += header[i] as number;
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
  return new Failure("backupInvalid", `tar archive: ${why}`);
}
