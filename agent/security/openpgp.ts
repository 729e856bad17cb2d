import { createHash } from "node:crypto";

/** A key of a keyring as it says of itself; nothing here checks a signature. */
export interface ListedKey {
  /** Upper-case hexadecimal. */
  readonly fingerprint: string;
  /** Fingerprint of the primary key it belongs to; its own when it is one. */
  readonly primary: string;
  /** Null when it does not expire. */
  readonly expires: Date | null;
}

/** The keys of a keyring, in its order. Pure. @throws RangeError when it is no row of OpenPGP packets */
export function listKeys(keyring: Buffer): ListedKey[] {
  const keys: (ListedKey & { created: number; bound: number })[] = [];
  let primary = "";
  for (const { tag, body } of packetsOf(keyring)) {
    if (tag === PRIMARY_KEY || tag === SUBKEY) {
      const fingerprint = fingerprintOf(body);
      if (tag === PRIMARY_KEY) primary = fingerprint;
      keys.push({ fingerprint, primary, expires: null, created: body.readUInt32BE(1), bound: 0 });
    } else if (tag === SIGNATURE) {
      const signature = readSignature(body);
      const subject =
        SUBKEY_BINDING === signature?.type ? keys.at(-1) : keys.findLast((k) => k.fingerprint === primary);
      if (signature === null || subject === undefined || !signature.binds) continue;
      if (!signature.issuers.some((issuer) => primary.endsWith(issuer)) || signature.created < subject.bound) continue;
      const { lifetime } = signature;
      const expires = lifetime === 0 ? null : new Date((subject.created + lifetime) * 1_000);
      keys[keys.indexOf(subject)] = { ...subject, expires, bound: signature.created };
    }
  }
  return keys.map(({ fingerprint, primary, expires }) => ({ fingerprint, primary, expires }));
}

/** Fingerprints, or their last 16 digits, of the keys that a detached signature says it is by. Pure. @throws RangeError */
export function issuersOf(signature: Buffer): string[] {
  return packetsOf(signature).flatMap(({ tag, body }) =>
    tag === SIGNATURE ? (readSignature(body)?.issuers ?? []) : [],
  );
}

const [SIGNATURE, PRIMARY_KEY, SUBKEY] = [2, 6, 14];
const SUBKEY_BINDING = 0x18;
/** Signatures by which a key says something of itself: over its names, itself, or a subkey. */
const BINDINGS: ReadonlySet<number> = new Set([0x10, 0x11, 0x12, 0x13, 0x1f, SUBKEY_BINDING]);

interface Packet {
  readonly tag: number;
  readonly body: Buffer;
}

/** RFC 9580, 4.2. Lengths that are not known beforehand are for data, and never stand in keys or signatures. */
function packetsOf(bytes: Buffer): Packet[] {
  const packets: Packet[] = [];
  for (let at = 0; at < bytes.length; ) {
    const first = bytes.readUInt8(at++);
    if ((first & 0x80) === 0) throw new RangeError(`no packet begins at byte ${at - 1}`);
    const isNew = (first & 0x40) !== 0;
    const { length, next } = isNew ? newLength(bytes, at) : oldLength(bytes, at, first & 3);
    if (next + length > bytes.length) throw new RangeError(`the packet at byte ${at - 1} is cut`);
    packets.push({ tag: isNew ? first & 0x3f : (first >> 2) & 0x0f, body: bytes.subarray(next, next + length) });
    at = next + length;
  }
  return packets;
}

interface Length {
  readonly length: number;
  /** Where what it is the length of begins. */
  readonly next: number;
}

function newLength(bytes: Buffer, at: number): Length {
  const first = bytes.readUInt8(at);
  if (first < 192) return { length: first, next: at + 1 };
  if (first < 224) return { length: ((first - 192) << 8) + bytes.readUInt8(at + 1) + 192, next: at + 2 };
  if (first < 255) throw new RangeError(`the packet at byte ${at} comes in parts`);
  return { length: bytes.readUInt32BE(at + 1), next: at + 5 };
}

function oldLength(bytes: Buffer, at: number, kind: number): Length {
  if (kind === 3) throw new RangeError(`the packet at byte ${at} has no length`);
  const size = 1 << kind;
  return { length: bytes.readUIntBE(at, size), next: at + size };
}

/** RFC 9580, 5.5.4. */
function fingerprintOf(body: Buffer): string {
  const version = body.readUInt8(0);
  const head = Buffer.alloc(version === 6 ? 5 : 3);
  head.writeUInt8(version === 6 ? 0x9b : 0x99, 0);
  head.writeUIntBE(body.length, 1, head.length - 1);
  const hash = createHash(version === 6 ? "sha256" : "sha1");
  return hash.update(head).update(body).digest("hex").toUpperCase();
}

interface Signature {
  readonly type: number;
  readonly binds: boolean;
  /** Seconds since 1970. */
  readonly created: number;
  /** Seconds the key lives from its creation; 0 for ever. */
  readonly lifetime: number;
  readonly issuers: readonly string[];
}

const [CREATED, KEY_LIFETIME, ISSUER, ISSUER_FINGERPRINT] = [2, 9, 16, 33];

/** Null for a version that no signature of today has. */
function readSignature(body: Buffer): Signature | null {
  const version = body.readUInt8(0);
  if (version !== 4 && version !== 6) return null;
  const lengthSize = version === 6 ? 4 : 2;
  const hashedLength = body.readUIntBE(4, lengthSize);
  const hashedAt = 4 + lengthSize;
  const hashed = subpacketsOf(body.subarray(hashedAt, hashedAt + hashedLength));
  const unhashedAt = hashedAt + hashedLength + lengthSize;
  const unhashedLength = body.readUIntBE(unhashedAt - lengthSize, lengthSize);
  const unhashed = subpacketsOf(body.subarray(unhashedAt, unhashedAt + unhashedLength));
  const time = (tag: number) => hashed.find((one) => one.tag === tag)?.body.readUInt32BE(0) ?? 0;
  const type = body.readUInt8(1);
  const issuers = [...hashed, ...unhashed].flatMap(({ tag, body }) => {
    if (tag === ISSUER) return [body.toString("hex").toUpperCase()];
    // One byte of the key's version stands before it.
    return tag === ISSUER_FINGERPRINT ? [body.subarray(1).toString("hex").toUpperCase()] : [];
  });
  return { type, binds: BINDINGS.has(type), created: time(CREATED), lifetime: time(KEY_LIFETIME), issuers };
}

function subpacketsOf(area: Buffer): Packet[] {
  const found: Packet[] = [];
  for (let at = 0; at < area.length; ) {
    const first = area.readUInt8(at);
    // Unlike a packet's, a subpacket's length of two bytes goes up to 254.
    const { length, next } =
      first >= 192 && first < 255
        ? { length: ((first - 192) << 8) + area.readUInt8(at + 1) + 192, next: at + 2 }
        : newLength(area, at);
    found.push({ tag: area.readUInt8(next) & 0x7f, body: area.subarray(next + 1, next + length) });
    at = next + length;
  }
  return found;
}
