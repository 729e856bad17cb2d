import { createECDH, createHash, generateKeyPairSync, type KeyObject, randomBytes } from "node:crypto";
import { z } from "zod";
import { AwsError, constraintError } from "../aws-error.ts";
import { operation } from "../protocol/call.ts";
import type { AccessRequest, Service } from "../protocol/request.ts";

const ALGORITHM = "ECDSA_SHA_256";
const KEY_SPEC = "ECC_NIST_P256";
const KEY_USAGE = "SIGN_VERIFY";
const DIGEST_BYTES = 32;
const LONGEST_MESSAGE = 4_096;
/** Every algorithm that KMS knows for signing; ours is one of them. */
const ALGORITHMS = /^(ECDSA_SHA_(256|384|512)|RSASSA_(PSS|PKCS1_V1_5)_SHA_(256|384|512)|SM2DSA)$/;

const Sign = z.strictObject({
  KeyId: z.string(),
  Message: z.string(),
  MessageType: z.enum(["RAW", "DIGEST"]).optional(),
  SigningAlgorithm: z.string(),
});
const Named = z.object({
  KeyId: z.string().optional(),
  MessageType: z.string().optional(),
  SigningAlgorithm: z.string().optional(),
});

/** The account's P-256 signing keys, each made anew with the endpoint. Keys that encrypt are not asked for by anyone here: S3 does that itself. */
export class SigningKeys implements Service {
  readonly name = "kms";
  readonly operations: Service["operations"];
  readonly #keys: ReadonlyMap<string, { readonly publicKey: KeyObject; readonly privateKey: KeyObject }>;

  /** @param arns of the keys that exist */
  constructor(arns: readonly string[]) {
    this.#keys = new Map(arns.map((arn) => [arn, generateKeyPairSync("ec", { namedCurve: "P-256" })]));
    this.operations = {
      GetPublicKey: operation(z.strictObject({ KeyId: z.string() }), ({ KeyId }) => ({
        KeyId: this.#arnOf(KeyId),
        PublicKey: this.#existing(KeyId).publicKey.export({ format: "der", type: "spki" }).toString("base64"),
        CustomerMasterKeySpec: KEY_SPEC,
        KeySpec: KEY_SPEC,
        KeyUsage: KEY_USAGE,
        SigningAlgorithms: [ALGORITHM],
      })),
      Sign: operation(Sign, ({ KeyId, Message, MessageType = "RAW", SigningAlgorithm }) => {
        const { privateKey } = this.#existing(KeyId);
        const digest = digestOf(Buffer.from(Message, "base64"), MessageType, SigningAlgorithm);
        const Signature = ecdsa(privateKey, digest).toString("base64");
        return { KeyId: this.#arnOf(KeyId), Signature, SigningAlgorithm };
      }),
    };
  }

  access(name: string, input: unknown): readonly AccessRequest[] {
    const { KeyId = "*", MessageType, SigningAlgorithm } = Named.parse(input);
    const context = {
      ...(SigningAlgorithm === undefined ? {} : { "kms:SigningAlgorithm": SigningAlgorithm }),
      ...(name === "Sign" ? { "kms:MessageType": MessageType ?? "RAW" } : {}),
    };
    return [{ action: `kms:${name}`, resource: this.#arnOf(KeyId), context }];
  }

  /** A key may be named by its id alone. */
  #arnOf(keyId: string): string {
    return [...this.#keys.keys()].find((arn) => arn === keyId || arn.endsWith(`:key/${keyId}`)) ?? keyId;
  }

  #existing(keyId: string) {
    const key = this.#keys.get(this.#arnOf(keyId));
    if (key === undefined) throw new AwsError("NotFoundException", `Key '${keyId}' does not exist`);
    return key;
  }
}

/** @throws AwsError for a message or an algorithm that KMS refuses with such a key */
function digestOf(message: Buffer, type: "RAW" | "DIGEST", algorithm: string): Buffer {
  if (!ALGORITHMS.test(algorithm))
    throw constraintError("signingAlgorithm", algorithm, "Member must satisfy enum value set");
  if (algorithm !== ALGORITHM)
    throw new AwsError("InvalidKeyUsageException", `Algorithm ${algorithm} is incompatible with key spec ${KEY_SPEC}.`);
  if (message.length === 0 || message.length > LONGEST_MESSAGE)
    throw constraintError("message", `${message.length} bytes`, "Member must have length between 1 and 4096");
  if (type === "RAW") return createHash("sha256").update(message).digest();
  if (message.length !== DIGEST_BYTES)
    throw new AwsError("ValidationException", `Digest is invalid length for algorithm ${ALGORITHM}.`);
  return message;
}

/** The order of P-256's group. */
const ORDER = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;

/**
 * ECDSA over a digest that somebody else has made: node:crypto signs only what it hashes itself. The point of the nonce is OpenSSL's; what
 * is left is arithmetic modulo the order (FIPS 186-5, 6.4.1).
 * @returns the signature in DER
 */
function ecdsa(privateKey: KeyObject, digest: Buffer): Buffer {
  const secret = integer(Buffer.from(privateKey.export({ format: "jwk" }).d ?? "", "base64url"));
  for (;;) {
    const nonce = randomBytes(DIGEST_BYTES);
    const k = integer(nonce);
    if (k === 0n || k >= ORDER) continue;
    const point = createECDH("prime256v1");
    point.setPrivateKey(nonce);
    // An uncompressed point: 4, x, y.
    const r = integer(point.getPublicKey().subarray(1, 1 + DIGEST_BYTES)) % ORDER;
    const s = (power(k, ORDER - 2n) * (integer(digest) + r * secret)) % ORDER;
    if (r !== 0n && s !== 0n) return sequence([derInteger(r), derInteger(s)]);
  }
}

function power(base: bigint, exponent: bigint): bigint {
  let result = 1n;
  for (let square = base % ORDER, left = exponent; left > 0n; left >>= 1n, square = (square * square) % ORDER)
    if (left & 1n) result = (result * square) % ORDER;
  return result;
}

function integer(bytes: Buffer): bigint {
  return BigInt(`0x${bytes.toString("hex")}`);
}

function derInteger(value: bigint): Buffer {
  const hex = value.toString(16);
  const bytes = Buffer.from(hex.length % 2 === 0 ? hex : `0${hex}`, "hex");
  // A first bit that is set would make it negative.
  const positive = (bytes[0] ?? 0) & 0x80 ? Buffer.concat([Buffer.from([0]), bytes]) : bytes;
  return Buffer.concat([Buffer.from([0x02, positive.length]), positive]);
}

function sequence(parts: readonly Buffer[]): Buffer {
  const content = Buffer.concat(parts);
  return Buffer.concat([Buffer.from([0x30, content.length]), content]);
}
