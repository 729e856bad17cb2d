import { createHash, createPublicKey, type KeyObject, verify } from "node:crypto";
import * as z from "zod";
import { RunId } from "./envelope.ts";
import { formatLock, type Lock, lockDigest, parseLock } from "./lock.ts";

/**
 * A lock as healthy canaries proved it, for every host of a fleet: one line of JSON that says whom it is for and how long, then the
 * text of locked_versions.txt. The signature, ECDSA over P-256 with SHA-256 as KMS makes it (DER), is over these very bytes and lies
 * beside the document in base64, so that `openssl dgst -sha256 -verify` can check it too.
 */
export const FLEET_LOCK_FORMAT = "autopatch-fleet-lock/1";

export const FleetLockHeader = z.strictObject({
  format: z.literal(FLEET_LOCK_FORMAT),
  fleet: z.string().min(1).max(64),
  /** The run whose canaries proved it. */
  runId: RunId,
  release: z.string(),
  architecture: z.string(),
  issuedAt: z.iso.datetime(),
  expiresAt: z.iso.datetime(),
  /** Grows with each lock of a fleet: a host that took a later one refuses an earlier. */
  sequence: z.int().positive(),
  lockDigest: z.string().regex(/^[0-9a-f]{64}$/),
});
export type FleetLockHeader = z.infer<typeof FleetLockHeader>;

export interface FleetLock {
  readonly header: FleetLockHeader;
  readonly lock: Lock;
}

/** What a document is about beside the lock itself: the same for all of a run's. */
export const FleetLockTerms = FleetLockHeader.omit({
  format: true,
  release: true,
  architecture: true,
  lockDigest: true,
});
export type FleetLockTerms = z.infer<typeof FleetLockTerms>;

/** A document of at most this many bytes is looked at. */
export const FLEET_LOCK_LIMIT = 8 << 20;

/** The document's bytes. */
export function encodeFleetLock(terms: FleetLockTerms, lock: Lock): Buffer {
  const { release, architecture } = lock;
  const all = { format: FLEET_LOCK_FORMAT, ...terms, release, architecture, lockDigest: lockDigest(lock) };
  return Buffer.from(`${JSON.stringify(FleetLockHeader.parse(all))}\n${formatLock(lock)}`, "utf8");
}

/** What is to be signed: for KMS, `MessageType: DIGEST` with `ECDSA_SHA_256`, since a document is longer than a message may be. */
export function fleetLockDigest(document: Buffer): Buffer {
  return createHash("sha256").update(document).digest();
}

/**
 * Reads a document whose signature holds; without it, nothing of the document is looked at. Pure.
 * @param signature base64 of a DER signature, as it lies beside the document
 * @param publicKey PEM, SubjectPublicKeyInfo
 * @returns in words what is wrong, with the signature or the text
 */
export function openFleetLock(document: Buffer, signature: string, publicKey: string): FleetLock | string {
  const key = p256Key(publicKey);
  if (typeof key === "string") return key;
  const base64 = signature.trim();
  if (!/^[A-Za-z0-9+/]{80,200}={0,2}$/.test(base64)) return "its signature is not base64 of an ECDSA signature";
  if (!verify("sha256", document, { key, dsaEncoding: "der" }, Buffer.from(base64, "base64")))
    return "its signature is not by the fleet's key, or the document was changed";
  try {
    return parse(document.toString("utf8"));
  } catch (error) {
    return `it is signed, but cannot be read: ${(error as Error).message}`;
  }
}

function p256Key(pem: string): KeyObject | string {
  try {
    const key = createPublicKey(pem);
    return key.asymmetricKeyType === "ec" && key.asymmetricKeyDetails?.namedCurve === "prime256v1"
      ? key
      : "the fleet's key is no P-256 key";
  } catch {
    return "the fleet's key is not a public key in PEM";
  }
}

function parse(text: string): FleetLock {
  const end = text.indexOf("\n");
  const header = FleetLockHeader.parse(JSON.parse(text.slice(0, end)));
  const lock = parseLock(text.slice(end + 1));
  const differing = (["release", "architecture"] as const).find((name) => header[name] !== lock[name]);
  if (differing !== undefined)
    throw new Error(`its header says ${differing} ${header[differing]}, its lock ${lock[differing]}`);
  if (header.lockDigest !== lockDigest(lock)) throw new Error("its header names another lock than it carries");
  return { header, lock };
}
