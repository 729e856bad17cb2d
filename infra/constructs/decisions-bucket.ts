import { Duration, RemovalPolicy } from "aws-cdk-lib";
import { AnyPrincipal, Effect, ManagedPolicy, PolicyStatement } from "aws-cdk-lib/aws-iam";
import {
  BlockPublicAccess,
  Bucket,
  BucketEncryption,
  type CfnBucket,
  type IBucket,
  ObjectOwnership,
} from "aws-cdk-lib/aws-s3";
import { Construct } from "constructs";
import { acknowledgeObjects } from "./acknowledge.ts";

export interface DecisionsBucketProps {
  readonly accessLogs: IBucket;
  /** Days until what was decided is deleted. */
  readonly keepRunsDays: number;
}

/**
 * Where people approve, stop and freeze. Who wrote a decision is the last part of its key, and the bucket's policy refuses every other
 * writer, administrators included: `aws:userid` is IAM's word, not the writer's. When is S3's word.
 */
export class DecisionsBucket extends Construct {
  readonly bucket: IBucket;
  /** For those who may approve or reject. */
  readonly approverPolicy: ManagedPolicy;
  /** For those who may stop runs and freeze the fleet. */
  readonly operatorPolicy: ManagedPolicy;

  constructor(scope: Construct, id: string, props: DecisionsBucketProps) {
    super(scope, id);
    const bucket = new Bucket(this, "Bucket", {
      blockPublicAccess: BlockPublicAccess.BLOCK_ALL,
      objectOwnership: ObjectOwnership.BUCKET_OWNER_ENFORCED,
      enforceSSL: true,
      minimumTLSVersion: 1.2,
      removalPolicy: RemovalPolicy.RETAIN,
      // With a key of ours everybody who decides would need a right to it; there is no secret in a decision.
      encryption: BucketEncryption.S3_MANAGED,
      versioned: true,
      serverAccessLogsBucket: props.accessLogs,
      serverAccessLogsPrefix: "decisions/",
      lifecycleRules: [
        { prefix: "approvals/", expiration: Duration.days(props.keepRunsDays) },
        { prefix: "stop/", expiration: Duration.days(props.keepRunsDays) },
        { noncurrentVersionExpiration: Duration.days(props.keepRunsDays), expiredObjectDeleteMarker: true },
      ],
    });
    // What CDK's own property does with a Lambda at deployment is one property of the bucket.
    (bucket.node.defaultChild as CfnBucket).addPropertyOverride("NotificationConfiguration", {
      EventBridgeConfiguration: { EventBridgeEnabled: true },
    });
    const own = `*/\${aws:userid}.json`;
    bucket.addToResourcePolicy(
      new PolicyStatement({
        sid: "UnderOnesOwnNameOnly",
        effect: Effect.DENY,
        principals: [new AnyPrincipal()],
        actions: ["s3:PutObject"],
        notResources: [bucket.arnForObjects(own)],
      }),
    );
    const made = bucket as IBucket;
    this.bucket = made;
    const mayWrite = (name: string, description: string, prefixes: readonly string[], actions: string[]) => {
      const keys = prefixes.map((prefix) => `${prefix}/${own}`);
      const resources = keys.map((key) => bucket.arnForObjects(key));
      const policy = new ManagedPolicy(this, name, {
        description,
        statements: [new PolicyStatement({ sid: "UnderOnesOwnName", actions, resources })],
      });
      acknowledgeObjects(
        policy,
        made,
        keys.map((key) => key.replace(`\${aws:userid}`, "<aws:userid>")),
      );
      return policy;
    };
    this.approverPolicy = mayWrite("Approvers", "AutoPatch: approve or reject plans", ["approvals"], ["s3:PutObject"]);
    this.operatorPolicy = mayWrite(
      "Operators",
      "AutoPatch: stop runs, freeze the fleet, lift one's own freeze",
      ["stop", "freeze"],
      ["s3:PutObject", "s3:DeleteObject"],
    );
  }
}
