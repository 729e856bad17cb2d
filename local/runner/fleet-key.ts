import { createPublicKey } from "node:crypto";
import { GetPublicKeyCommand, KMSClient } from "@aws-sdk/client-kms";
import type { Cloud } from "../cloud/cloud.ts";

/** The public key that the stack's fleet locks are checked with, in PEM: what whoever enrols hosts asks KMS for, see docs/guides/fleet-lock.md. */
export async function fleetPublicKey({ url, operator, deployment }: Cloud): Promise<string> {
  const { credentials } = operator;
  const kms = new KMSClient({ endpoint: url, region: deployment.place.region, credentials });
  try {
    const { PublicKey = new Uint8Array() } = await kms.send(
      new GetPublicKeyCommand({ KeyId: deployment.outputs.FleetLockKeyArn }),
    );
    const key = createPublicKey({ key: Buffer.from(PublicKey), format: "der", type: "spki" });
    return key.export({ format: "pem", type: "spki" }).toString();
  } finally {
    kms.destroy();
  }
}
