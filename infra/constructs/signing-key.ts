import { RemovalPolicy, Stack } from "aws-cdk-lib";
import { Effect, type IRole, PolicyStatement, StarPrincipal } from "aws-cdk-lib/aws-iam";
import { Key, KeySpec, KeyUsage } from "aws-cdk-lib/aws-kms";
import { Construct } from "constructs";

/**
 * The key that signs the fleet's locks: P-256, its private half never leaves KMS. Hosts know its public half by their own configuration.
 * It outlives the stack: what it signed stays to be checked.
 */
export class SigningKey extends Construct {
  readonly key: Key;

  constructor(scope: Construct, id: string) {
    super(scope, id);
    this.key = new Key(this, "Key", {
      description: `AutoPatch: fleet locks of ${Stack.of(this).stackName}`,
      keySpec: KeySpec.ECC_NIST_P256,
      keyUsage: KeyUsage.SIGN_VERIFY,
      removalPolicy: RemovalPolicy.RETAIN,
    });
  }

  /** Lets one role sign digests, and by the key's own policy nobody else, whatever IAM allows them. To be called once. */
  onlySigner(role: IRole): void {
    const conditions = { StringEquals: { "kms:SigningAlgorithm": "ECDSA_SHA_256", "kms:MessageType": "DIGEST" } };
    role.addToPrincipalPolicy(
      new PolicyStatement({ sid: "SignFleetLocks", actions: ["kms:Sign"], resources: [this.key.keyArn], conditions }),
    );
    this.key.addToResourcePolicy(
      new PolicyStatement({
        sid: "NobodyElseSigns",
        effect: Effect.DENY,
        principals: [new StarPrincipal()],
        actions: ["kms:Sign"],
        resources: ["*"],
        conditions: { ArnNotEquals: { "aws:PrincipalArn": role.roleArn } },
      }),
    );
  }
}
