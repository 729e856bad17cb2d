import { z } from "zod";
import { AwsError } from "../aws-error.ts";
import { operation } from "../protocol/call.ts";
import type { AccessRequest, Service } from "../protocol/request.ts";

/** A secret that exists, under its full ARN: the six characters at its end are the service's own. */
export interface Secret {
  readonly arn: string;
  readonly value: string;
}

/** Secrets Manager: secrets by name, ARN, or ARN without its last seven characters. None can be made here. */
export class Secrets implements Service {
  readonly name = "secretsmanager";
  readonly operations: Service["operations"];
  readonly #secrets: readonly Secret[];

  constructor(secrets: readonly Secret[]) {
    this.#secrets = secrets;
    this.operations = {
      GetSecretValue: operation(z.strictObject({ SecretId: z.string().min(1) }), ({ SecretId }) => {
        const found = this.#find(SecretId);
        if (found === undefined)
          throw new AwsError("ResourceNotFoundException", "Secrets Manager can't find the specified secret.");
        return { ARN: found.arn, Name: nameOf(found.arn), SecretString: found.value, VersionStages: ["AWSCURRENT"] };
      }),
    };
  }

  /** By its full ARN where there is one; for a secret that does not exist the caller is asked about what it named. */
  access(name: string, input: unknown): readonly AccessRequest[] {
    const { SecretId = "*" } = z.object({ SecretId: z.string().optional() }).parse(input);
    return [{ action: `secretsmanager:${name}`, resource: this.#find(SecretId)?.arn ?? SecretId, context: {} }];
  }

  #find(id: string): Secret | undefined {
    return this.#secrets.find(({ arn }) => arn === id || withoutSuffix(arn) === id || nameOf(arn) === id);
  }
}

function withoutSuffix(arn: string): string {
  return arn.replace(/-[A-Za-z0-9]{6}$/, "");
}

function nameOf(arn: string): string {
  return withoutSuffix(arn.split(":").slice(6).join(":"));
}
