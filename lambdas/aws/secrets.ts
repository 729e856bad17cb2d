import { GetSecretValueCommand, SecretsManagerClient } from "@aws-sdk/client-secrets-manager";

/** Secrets Manager. */
export class Secrets {
  readonly #client = new SecretsManagerClient({});

  /** The current value of a secret, by ARN or name. @throws Error when it is binary, or whatever Secrets Manager refuses with; never with the value */
  async text(secretId: string): Promise<string> {
    const { SecretString } = await this.#client.send(new GetSecretValueCommand({ SecretId: secretId }));
    if (SecretString === undefined) throw new Error("the secret is binary; store text");
    return SecretString;
  }
}
