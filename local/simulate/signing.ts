import { SigningKeys } from "../endpoints/services/kms.ts";

/** KMS keys that sign, with bytes where the endpoint's JSON has base64. */
export class SimulatedSigning {
  readonly #keys: SigningKeys;

  constructor(arns: readonly string[]) {
    this.#keys = new SigningKeys(arns);
  }

  sign(input: { readonly Message: Uint8Array }) {
    const answer = this.#call("Sign", { ...input, Message: Buffer.from(input.Message).toString("base64") });
    return { ...answer, Signature: Buffer.from(String(answer.Signature), "base64") };
  }

  publicKey(input: object) {
    const answer = this.#call("GetPublicKey", input);
    return { ...answer, PublicKey: Buffer.from(String(answer.PublicKey), "base64") };
  }

  #call(operation: "Sign" | "GetPublicKey", input: object): Record<string, unknown> {
    // Who calls is decided before: these two do not look at it.
    return this.#keys.operations[operation]?.(input, undefined as never) as Record<string, unknown>;
  }
}
