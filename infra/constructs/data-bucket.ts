import { Duration, RemovalPolicy, Validations } from "aws-cdk-lib";
import { Key } from "aws-cdk-lib/aws-kms";
import { BlockPublicAccess, Bucket, BucketEncryption, type IBucket, ObjectOwnership } from "aws-cdk-lib/aws-s3";
import { Construct } from "constructs";

export interface DataBucketProps {
  /** Days until what belongs to a run is deleted. */
  readonly keepRunsDays: number;
  /** Days until a .deb of the pool is deleted. */
  readonly keepPoolDays: number;
}

/** Where plans, results, reports and task tokens lie: encrypted, versioned, closed to the public, TLS only. Outlives the stack. */
export class DataBucket extends Construct {
  readonly bucket: IBucket;
  readonly key: Key;
  /** Where S3 writes who did what, for other buckets of the stack too. */
  readonly accessLogs: IBucket;

  constructor(scope: Construct, id: string, props: DataBucketProps) {
    super(scope, id);
    this.key = new Key(this, "Key", {
      description: "AutoPatch: run data and notifications",
      enableKeyRotation: true,
      removalPolicy: RemovalPolicy.RETAIN,
    });
    const closed = {
      blockPublicAccess: BlockPublicAccess.BLOCK_ALL,
      objectOwnership: ObjectOwnership.BUCKET_OWNER_ENFORCED,
      enforceSSL: true,
      minimumTLSVersion: 1.2,
      removalPolicy: RemovalPolicy.RETAIN,
    };
    const accessLogs = new Bucket(this, "AccessLogs", {
      ...closed,
      // The log delivery service cannot write with a customer's key.
      encryption: BucketEncryption.S3_MANAGED,
      lifecycleRules: [{ expiration: Duration.days(props.keepRunsDays) }],
    });
    this.accessLogs = accessLogs as IBucket;
    Validations.of(accessLogs).acknowledge({
      id: "AwsSolutions-S1",
      reason: "This bucket holds the access logs; logging it into itself would never end.",
    });
    const bucket = new Bucket(this, "Bucket", {
      ...closed,
      encryption: BucketEncryption.KMS,
      encryptionKey: this.key,
      bucketKeyEnabled: true,
      versioned: true,
      serverAccessLogsBucket: accessLogs as IBucket,
      lifecycleRules: [
        { prefix: "runs/", expiration: Duration.days(props.keepRunsDays) },
        { prefix: "hosts/", expiration: Duration.days(props.keepRunsDays) },
        // A token is worth nothing once its command has ended, which takes hours at most.
        { prefix: "commands/", expiration: Duration.days(2) },
        { prefix: "pool/", expiration: Duration.days(props.keepPoolDays) },
        // What the canaries offer the pool is taken within the run. Fleet locks stay: they are small, and the last one's number must not be lost.
        { prefix: "offered/", expiration: Duration.days(2), noncurrentVersionExpiration: Duration.days(1) },
        {
          noncurrentVersionExpiration: Duration.days(30),
          expiredObjectDeleteMarker: true,
          abortIncompleteMultipartUploadAfter: Duration.days(2),
        },
      ],
    });
    // The interfaces of aws-cdk-lib were not written for exactOptionalPropertyTypes.
    this.bucket = bucket as IBucket;
  }
}
