import { createHash } from "node:crypto";

/** A public key as its own self-signatures describe it. */
export interface PublicKey {
  /** Upper case, 40 digits. */
  readonly fingerprint: string;
  /** The first user id; empty when it has none. */
  readonly userId: string;
  readonly created: Date;
  /** Null when it never expires. */
  readonly expires: Date | null;
  readonly revoked: boolean;
  /** As `RSA 4096` or `Ed25519`. */
  readonly algorithm: string;
  /** Too weak for what it vouches for: DSA, or RSA below 2048 bits. */
  readonly weak: boolean;
}

interface Packet {
  readonly tag: number;
  readonly body: Buffer;
}

/**
 * The primary keys of a keyring (RFC 4880, version 4). Reads what the keys say of themselves and verifies nothing, so that no gpg is
 * needed: minimal hosts have gpgv or sqv alone. What it cannot read is passed over. Pure.
 */
export function parseKeyring(packets: Buffer): PublicKey[] {
  const keys: PublicKey[] = [];
  let current: { key: Buffer; ids: string[]; signatures: Signature[] } | null = null;
  const finish = () => {
    if (current !== null) keys.push(describeKey(current.key, current.ids, current.signatures));
    current = null;
  };
  // Signatures behind a subkey are the subkey's.
  let onPrimary = false;
  for (const { tag, body } of readPackets(packets)) {
    if (tag === 6) {
      finish();
      onPrimary = true;
      if (body[0] === 4) current = { key: body, ids: [], signatures: [] };
    } else if (tag === 14) onPrimary = false;
    else if (current === null) continue;
    else if (tag === 13) current.ids.push(body.toString("utf8"));
    else if (tag === 2 && onPrimary) {
      const signature = parseSignature(body);
      if (signature !== null) current.signatures.push(signature);
    }
  }
  finish();
  return keys;
}

function* readPackets(bytes: Buffer): Generator<Packet> {
  for (let at = 0; at < bytes.length; ) {
    const header = bytes[at] ?? 0;
    if ((header & 0x80) === 0) return;
    const found = (header & 0x40) === 0 ? oldLength(bytes, at, header) : newLength(bytes, at + 1);
    if (found === null || found.body + found.length > bytes.length) return;
    const tag = (header & 0x40) === 0 ? (header >> 2) & 0x0f : header & 0x3f;
    yield { tag, body: bytes.subarray(found.body, found.body + found.length) };
    at = found.body + found.length;
  }
}

function oldLength(bytes: Buffer, at: number, header: number): { body: number; length: number } | null {
  const kind = header & 3;
  if (kind === 3 || at + 1 + (1 << kind) > bytes.length) return null;
  return { body: at + 1 + (1 << kind), length: bytes.readUIntBE(at + 1, 1 << kind) };
}

/** Also the length of a subpacket. Partial lengths never stand in keys. */
function newLength(bytes: Buffer, at: number): { body: number; length: number } | null {
  const first = bytes[at];
  if (first === undefined) return null;
  if (first < 192) return { body: at + 1, length: first };
  if (first < 224) return { body: at + 2, length: ((first - 192) << 8) + (bytes[at + 1] ?? 0) + 192 };
  if (first !== 255 || at + 5 > bytes.length) return null;
  return { body: at + 5, length: bytes.readUInt32BE(at + 1) };
}

interface Signature {
  readonly type: number;
  readonly created: number;
  /** Seconds after the key's creation; null when it does not say. */
  readonly keyExpires: number | null;
  /** Last 16 digits of the signer's fingerprint. */
  readonly issuer: string | null;
}

const SUBPACKET = { created: 2, keyExpires: 9, issuer: 16, issuerFingerprint: 33 } as const;

function parseSignature(body: Buffer): Signature | null {
  if (body[0] !== 4 || body.length < 6) return null;
  const hashedEnd = 6 + body.readUInt16BE(4);
  if (hashedEnd + 2 > body.length) return null;
  const hashed = subpackets(body.subarray(6, hashedEnd));
  const all = [...hashed, ...subpackets(body.subarray(hashedEnd + 2, hashedEnd + 2 + body.readUInt16BE(hashedEnd)))];
  const number = (type: number) => {
    const found = hashed.find((one) => one.type === type && one.body.length === 4);
    return found === undefined ? null : found.body.readUInt32BE(0);
  };
  const by = all.find((one) => one.type === SUBPACKET.issuer || one.type === SUBPACKET.issuerFingerprint);
  return {
    type: body[1] ?? 0,
    created: number(SUBPACKET.created) ?? 0,
    keyExpires: number(SUBPACKET.keyExpires),
    issuer: by === undefined ? null : by.body.subarray(-8).toString("hex").toUpperCase(),
  };
}

function subpackets(area: Buffer): { type: number; body: Buffer }[] {
  const found: { type: number; body: Buffer }[] = [];
  for (let at = 0; at < area.length; ) {
    const one = newLength(area, at);
    if (one === null || one.length === 0 || one.body + one.length > area.length) break;
    found.push({ type: (area[one.body] ?? 0) & 0x7f, body: area.subarray(one.body + 1, one.body + one.length) });
    at = one.body + one.length;
  }
  return found;
}

/** Certifications of a user id, and signatures directly on the key. */
const SELF: ReadonlySet<number> = new Set([0x10, 0x11, 0x12, 0x13, 0x1f]);
const KEY_REVOKED = 0x20;

function describeKey(key: Buffer, ids: readonly string[], signatures: readonly Signature[]): PublicKey {
  const length = Buffer.alloc(3);
  length[0] = 0x99;
  length.writeUInt16BE(key.length, 1);
  const fingerprint = createHash("sha1").update(length).update(key).digest("hex").toUpperCase();
  const own = signatures.filter((one) => one.issuer === null || fingerprint.endsWith(one.issuer));
  const newest = own.filter((one) => SELF.has(one.type)).sort((a, b) => b.created - a.created)[0];
  const created = key.readUInt32BE(1);
  const lasts = newest?.keyExpires ?? null;
  return {
    fingerprint,
    userId: ids[0] ?? "",
    created: new Date(created * 1000),
    expires: lasts === null || lasts === 0 ? null : new Date((created + lasts) * 1000),
    revoked: own.some((one) => one.type === KEY_REVOKED),
    ...strength(key),
  };
}

function strength(key: Buffer): Pick<PublicKey, "algorithm" | "weak"> {
  const algorithm = key[5] ?? 0;
  const bits = key.length >= 8 ? key.readUInt16BE(6) : 0;
  if (algorithm >= 1 && algorithm <= 3) return { algorithm: `RSA ${bits}`, weak: bits < 2048 };
  if (algorithm === 17) return { algorithm: `DSA ${bits}`, weak: true };
  if (algorithm === 19) return { algorithm: "ECDSA", weak: false };
  if (algorithm === 22 || algorithm === 27) return { algorithm: "Ed25519", weak: false };
  return { algorithm: `algorithm ${algorithm}`, weak: false };
}
