import { Stack } from "aws-cdk-lib";
import { ManagedPolicy, PolicyStatement } from "aws-cdk-lib/aws-iam";
import type { IKey } from "aws-cdk-lib/aws-kms";
import type { IBucket } from "aws-cdk-lib/aws-s3";
import { Construct } from "constructs";
import { acknowledgeObjects } from "./acknowledge.ts";

/**
 * What a host may do, for a user to attach to instance roles beside AmazonSSMManagedInstanceCore. `aws:userid` is the role's id and
 * the instance's: one host cannot read or overwrite what another wrote, as long as only ec2.amazonaws.com may assume the role
 * (whoever may assume it otherwise chooses the session's name).
 */
export class HostPolicy extends Construct {
  readonly policy: ManagedPolicy;

  constructor(scope: Construct, id: string, props: { readonly bucket: IBucket; readonly key: IKey }) {
    super(scope, id);
    this.policy = new ManagedPolicy(this, "Policy", {
      description: "AutoPatch hosts: their own step reports and nothing else",
      statements: [
        new PolicyStatement({
          sid: "OwnReports",
          actions: ["s3:GetObject", "s3:PutObject"],
          // The variable is IAM's, resolved at each call.
          resources: [props.bucket.arnForObjects(`hosts/\${aws:userid}/*`)],
        }),
        new PolicyStatement({
          sid: "KeyThroughS3Only",
          actions: ["kms:Decrypt", "kms:GenerateDataKey"],
          resources: [props.key.keyArn],
          conditions: { StringEquals: { "kms:ViaService": `s3.${Stack.of(this).region}.amazonaws.com` } },
        }),
      ],
    });
    acknowledgeObjects(this.policy, props.bucket, ["hosts/<aws:userid>/*"]);
  }
}
