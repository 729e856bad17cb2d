import { createHash } from "node:crypto";
import { crc32 } from "node:zlib";
import { crc32c, crc64nvme } from "./crc.ts";
import { s3Errors } from "./errors.ts";

/** The checksums S3 knows and that are computed here, base64 of the big-endian value. */
const CHECKSUMS = {
  crc32: (data: Uint8Array) => {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32BE(crc32(data));
    return bytes.toString("base64");
  },
  crc32c: (data: Uint8Array) => crc32c(data).toString("base64"),
  crc64nvme: (data: Uint8Array) => crc64nvme(data).toString("base64"),
  sha1: (data: Uint8Array) => createHash("sha1").update(data).digest("base64"),
  sha256: (data: Uint8Array) => createHash("sha256").update(data).digest("base64"),
} as const;
export type ChecksumName = keyof typeof CHECKSUMS;

export interface Checksum {
  readonly name: ChecksumName;
  /** Base64; for a composite one with `-<parts>` behind it. */
  readonly value: string;
}

type Headers = Readonly<Record<string, string>>;

/** The content of an upload: aws-chunked taken apart, length and every checksum that came with it verified. */
export function readContent(headers: Headers, body: Buffer): { content: Buffer; checksum: Checksum | null } {
  const isChunked = (headers["x-amz-content-sha256"] ?? "").startsWith("STREAMING-");
  const { content, trailers } = isChunked ? unchunk(body) : { content: body, trailers: {} };
  const declared = isChunked ? headers["x-amz-decoded-content-length"] : headers["content-length"];
  if (declared !== undefined && Number(declared) !== content.length) throw s3Errors.incompleteBody();
  const sent = { ...headers, ...trailers };
  const whole = headers["x-amz-content-sha256"] ?? "";
  if (/^[0-9a-f]{64}$/.test(whole) && createHash("sha256").update(content).digest("hex") !== whole) {
    throw s3Errors.contentMismatch();
  }
  const md5 = headers["content-md5"];
  if (md5 !== undefined && createHash("md5").update(content).digest("base64") !== md5) {
    throw s3Errors.badDigest("Content-MD5");
  }
  return { content, checksum: verified(sent, content) };
}

function verified(headers: Headers, content: Buffer): Checksum | null {
  const found = Object.entries(headers).find(([header]) => /^x-amz-checksum-(?!algorithm|type|mode)/.test(header));
  if (found === undefined) return null;
  const [header, value] = found;
  const name = header.slice("x-amz-checksum-".length);
  if (!(name in CHECKSUMS)) throw s3Errors.notImplemented(`checksum ${name}`);
  if (CHECKSUMS[name as ChecksumName](content) !== value) throw s3Errors.badDigest(name.toUpperCase());
  return { name: name as ChecksumName, value };
}

/** The checksum that a copy is asked to have: of the whole, however its source was put. @param algorithm as S3 writes it: `SHA256` */
export function checksumOf(content: Uint8Array, algorithm: string): Checksum {
  const name = algorithm.toLowerCase();
  if (!Object.hasOwn(CHECKSUMS, name)) throw s3Errors.notImplemented(`checksum ${algorithm}`);
  return { name: name as ChecksumName, value: CHECKSUMS[name as ChecksumName](content) };
}

/** The checksum of a multipart object: that of its parts' checksums, and how many they are. */
export function compositeChecksum(parts: readonly Checksum[]): Checksum | null {
  const name = parts[0]?.name;
  if (name === undefined || parts.some((part) => part.name !== name)) return null;
  const value = CHECKSUMS[name](Buffer.concat(parts.map((part) => Buffer.from(part.value, "base64"))));
  return { name, value: `${value}-${parts.length}` };
}

/** Takes `size;extensions CRLF data CRLF … 0 CRLF trailers CRLF` apart. Signatures of chunks are not checked. */
function unchunk(body: Buffer): { content: Buffer; trailers: Record<string, string> } {
  const chunks: Buffer[] = [];
  let at = 0;
  const line = () => {
    const end = body.indexOf("\r\n", at);
    if (end < 0) throw s3Errors.incompleteBody();
    const text = body.toString("latin1", at, end);
    at = end + 2;
    return text;
  };
  for (;;) {
    const size = Number.parseInt(line().split(";")[0] ?? "", 16);
    if (!(size >= 0) || at + size > body.length) throw s3Errors.incompleteBody();
    if (size === 0) break;
    chunks.push(body.subarray(at, at + size));
    at += size + 2;
  }
  const trailers: Record<string, string> = {};
  while (at < body.length) {
    const text = line();
    const colon = text.indexOf(":");
    if (colon > 0) trailers[text.slice(0, colon).trim().toLowerCase()] = text.slice(colon + 1).trim();
  }
  return { content: Buffer.concat(chunks), trailers };
}
