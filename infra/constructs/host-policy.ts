import { Stack } from "aws-cdk-lib";
import { ManagedPolicy, PolicyStatement } from "aws-cdk-lib/aws-iam";
import type { IKey } from "aws-cdk-lib/aws-kms";
import type { IBucket } from "aws-cdk-lib/aws-s3";
import type { ITopic } from "aws-cdk-lib/aws-sns";
import { Construct } from "constructs";
import { METRICS } from "../../contract/names.ts";
import { acknowledgeAnyResource, acknowledgeObjects } from "./acknowledge.ts";

/**
 * What a host may do, for a user to attach to instance roles beside AmazonSSMManagedInstanceCore. `aws:userid` is the role's id and
 * the instance's: one host cannot read or overwrite what another wrote, as long as only ec2.amazonaws.com may assume the role
 * (whoever may assume it otherwise chooses the session's name).
 */
export class HostPolicy extends Construct {
  readonly policy: ManagedPolicy;
  /** For a host that is to become what another one was; not part of what every host has. */
  readonly recovery: ManagedPolicy;

  constructor(
    scope: Construct,
    id: string,
    props: { readonly bucket: IBucket; readonly key: IKey; readonly topic: ITopic; readonly signingKey: IKey },
  ) {
    super(scope, id);
    const through = ["s3", "sns"].map((service) => `${service}.${Stack.of(this).region}.amazonaws.com`);
    this.policy = new ManagedPolicy(this, "Policy", {
      description:
        "AutoPatch hosts: their own reports, backups, offers, metrics and alerts, and the fleet's packages and locks to read",
      statements: [
        new PolicyStatement({
          sid: "OwnReports",
          actions: ["s3:GetObject", "s3:PutObject"],
          // The variable is IAM's, resolved at each call.
          resources: [props.bucket.arnForObjects(`hosts/\${aws:userid}/*`)],
        }),
        new PolicyStatement({
          sid: "OwnBackups",
          // No right to delete: what a host was taken over by cannot take its backups away.
          actions: ["s3:GetObject", "s3:PutObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"],
          resources: [props.bucket.arnForObjects(`backups/\${aws:userid}/*`)],
        }),
        new PolicyStatement({
          sid: "ListOwnBackups",
          actions: ["s3:ListBucket"],
          resources: [props.bucket.bucketArn],
          conditions: { StringLike: { "s3:prefix": `backups/\${aws:userid}/*` } },
        }),
        new PolicyStatement({
          sid: "FleetPackages",
          actions: ["s3:GetObject"],
          resources: [props.bucket.arnForObjects("pool/*"), props.bucket.arnForObjects("fleet-locks/*")],
        }),
        new PolicyStatement({
          sid: "OfferPackages",
          actions: ["s3:PutObject"],
          resources: [props.bucket.arnForObjects(`offered/\${aws:userid}/*`)],
        }),
        new PolicyStatement({
          sid: "FleetLockPublicKey",
          actions: ["kms:GetPublicKey"],
          resources: [props.signingKey.keyArn],
        }),
        new PolicyStatement({
          sid: "KeyThroughS3AndSnsOnly",
          actions: ["kms:Decrypt", "kms:GenerateDataKey"],
          resources: [props.key.keyArn],
          conditions: { StringEquals: { "kms:ViaService": through } },
        }),
        new PolicyStatement({
          sid: "OwnMetrics",
          actions: ["cloudwatch:PutMetricData"],
          resources: ["*"],
          conditions: { StringEquals: { "cloudwatch:namespace": [METRICS.operations, METRICS.security] } },
        }),
        new PolicyStatement({
          // AUTOPATCH_ALERT_TOPIC: what maintenance and the daemon have to tell somebody.
          sid: "Alerts",
          actions: ["sns:Publish"],
          resources: [props.topic.topicArn],
        }),
      ],
    });
    acknowledgeObjects(this.policy, props.bucket, [
      "hosts/<aws:userid>/*",
      "backups/<aws:userid>/*",
      "offered/<aws:userid>/*",
      "pool/*",
      "fleet-locks/*",
    ]);
    acknowledgeAnyResource(this.policy, "PutMetricData knows no resources; it is held by its namespace.");
    this.recovery = new ManagedPolicy(this, "Recovery", {
      description:
        "AutoPatch: a host that takes another one's place reads the backups of all; attach it for as long as that takes",
      statements: [
        new PolicyStatement({
          sid: "ReadBackups",
          actions: ["s3:GetObject"],
          resources: [props.bucket.arnForObjects("backups/*")],
        }),
        new PolicyStatement({
          sid: "ListBackups",
          actions: ["s3:ListBucket"],
          resources: [props.bucket.bucketArn],
          conditions: { StringLike: { "s3:prefix": "backups/*" } },
        }),
      ],
    });
    acknowledgeObjects(this.recovery, props.bucket, ["backups/*"]);
  }
}
