import { ArnFormat, Stack, Validations } from "aws-cdk-lib";
import { PolicyStatement } from "aws-cdk-lib/aws-iam";
import type { IKey } from "aws-cdk-lib/aws-kms";
import type { IBucket } from "aws-cdk-lib/aws-s3";
import type { ITopic } from "aws-cdk-lib/aws-sns";
import { Construct } from "constructs";
import type { TargetTag } from "../../contract/environment.ts";
import { METRICS } from "../../contract/names.ts";
import type { FleetFunctionName, FleetFunctions } from "./fleet-functions.ts";
import { stateMachineArn } from "./state-machines.ts";

export interface FleetPermissionsProps {
  readonly functions: FleetFunctions["byName"];
  readonly bucket: IBucket;
  readonly key: IKey;
  readonly topic: ITopic;
  readonly documentArns: readonly string[];
  readonly tag: TargetTag;
}

/** What each Lambda reads and writes in the bucket, by prefix. */
const OBJECTS: Readonly<
  Record<FleetFunctionName, { readonly get?: readonly string[]; readonly put?: readonly string[] }>
> = {
  plan: { get: ["runs/*"], put: ["runs/*"] },
  dispatch: { get: ["runs/*"] },
  await: { put: ["commands/*"] },
  collect: { get: ["runs/*"], put: ["runs/*"] },
  "on-event": { get: ["commands/*"] },
  assess: { get: ["runs/*"], put: ["runs/*"] },
  report: { get: ["runs/*", "hosts/*"], put: ["runs/*"] },
  notify: { get: ["runs/*"] },
};

/** Calls of Systems Manager that only read. IAM knows no resource for them: it is all or nothing. */
const READS: Readonly<Partial<Record<FleetFunctionName, readonly string[]>>> = {
  plan: ["ssm:DescribeInstanceInformation"],
  dispatch: ["ssm:DescribeInstanceInformation"],
  await: ["ssm:ListCommandInvocations"],
  collect: ["ssm:ListCommandInvocations", "ssm:GetCommandInvocation"],
};

/** Least privilege, one Lambda at a time. */
export class FleetPermissions extends Construct {
  constructor(scope: Construct, id: string, props: FleetPermissionsProps) {
    super(scope, id);
    const { functions, bucket, key } = props;
    for (const [name, { get = [], put = [] }] of Object.entries(OBJECTS) as [
      FleetFunctionName,
      (typeof OBJECTS)[FleetFunctionName],
    ][]) {
      const allow = (sid: string, actions: readonly string[], resources: readonly string[], conditions = {}) =>
        functions[name].addToRolePolicy(
          new PolicyStatement({ sid, actions: [...actions], resources: [...resources], conditions }),
        );
      if (get.length > 0) {
        allow(
          "ReadObjects",
          ["s3:GetObject"],
          get.map((prefix) => bucket.arnForObjects(prefix)),
        );
        // Without it S3 answers "access denied" for an object that does not exist, and absence could not be told from refusal.
        allow("TellAbsence", ["s3:ListBucket"], [bucket.bucketArn]);
        key.grantDecrypt(functions[name]);
      }
      if (put.length > 0) {
        allow(
          "WriteObjects",
          ["s3:PutObject"],
          put.map((prefix) => bucket.arnForObjects(prefix)),
        );
        key.grantEncryptDecrypt(functions[name]);
      }
      const reads = READS[name] ?? [];
      if (reads.length > 0) allow("ReadSystemsManager", reads, ["*"]);
      if (name === "dispatch") this.#maySendCommands(props);
      if (name === "await" || name === "on-event")
        allow("AnswerTokens", ["states:SendTaskSuccess"], [stateMachineArn(Stack.of(this), "PatchBatch")]);
      if (name === "report")
        allow("PublishMetrics", ["cloudwatch:PutMetricData"], ["*"], {
          StringEquals: { "cloudwatch:namespace": [METRICS.operations, METRICS.security] },
        });
      if (name === "notify") props.topic.grantPublish(functions[name]);
      Validations.of(functions[name]).acknowledge(
        {
          id: "AwsSolutions-IAM5",
          reason:
            "Wildcards stand after a prefix of this stack's bucket, in key actions that S3 needs (GenerateDataKey*, ReEncrypt*), for X-Ray, " +
            "for calls for which IAM knows no resource (Describe, List, GetCommandInvocation; PutMetricData held by its namespace), and in instance/*, which the tag's condition holds.",
        },
        {
          id: "AwsSolutions-IAM4",
          reason: "AWSLambdaBasicExecutionRole lets a function write its own logs; it allows nothing else.",
        },
      );
    }
  }

  /** Two statements: the tag's condition must not stand on the documents, which do not carry it. */
  #maySendCommands({ functions, documentArns, tag }: FleetPermissionsProps): void {
    const stack = Stack.of(this);
    const instances = [
      ["ec2", "instance"],
      ["ssm", "managed-instance"],
    ].map(([service, resource]) =>
      stack.formatArn({
        service: service as string,
        resource: resource as string,
        resourceName: "*",
        arnFormat: ArnFormat.SLASH_RESOURCE_NAME,
      }),
    );
    functions.dispatch.addToRolePolicy(
      new PolicyStatement({ sid: "SendOurDocuments", actions: ["ssm:SendCommand"], resources: [...documentArns] }),
    );
    functions.dispatch.addToRolePolicy(
      new PolicyStatement({
        sid: "ToEnrolledHosts",
        actions: ["ssm:SendCommand"],
        resources: instances,
        conditions: { StringEquals: { [`ssm:resourceTag/${tag.key}`]: tag.value } },
      }),
    );
  }
}
