import { createPublicKey } from "node:crypto";
import { GetPublicKeyCommand, KMSClient, SignCommand } from "@aws-sdk/client-kms";

/** The fleet's key in KMS, P-256. Its private half never leaves KMS. */
export class SigningKey {
  readonly #kms = new KMSClient({});
  readonly #keyId: string;

  constructor(keyArn: string) {
    this.#keyId = keyArn;
  }

  /** @param digest SHA-256 @returns the ECDSA signature in DER */
  async sign(digest: Buffer): Promise<Buffer> {
    const { Signature } = await this.#kms.send(
      new SignCommand({
        KeyId: this.#keyId,
        Message: digest,
        MessageType: "DIGEST",
        SigningAlgorithm: "ECDSA_SHA_256",
      }),
    );
    if (Signature === undefined) throw new Error(`${this.#keyId}: KMS gave no signature`);
    return Buffer.from(Signature);
  }

  /** PEM, SubjectPublicKeyInfo. */
  async publicKey(): Promise<string> {
    const { PublicKey } = await this.#kms.send(new GetPublicKeyCommand({ KeyId: this.#keyId }));
    if (PublicKey === undefined) throw new Error(`${this.#keyId}: KMS gave no public key`);
    const key = createPublicKey({ key: Buffer.from(PublicKey), format: "der", type: "spki" });
    return key.export({ format: "pem", type: "spki" }).toString();
  }
}
