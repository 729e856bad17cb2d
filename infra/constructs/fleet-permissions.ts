import { ArnFormat, Stack } from "aws-cdk-lib";
import { type IRole, PolicyStatement } from "aws-cdk-lib/aws-iam";
import type { IKey } from "aws-cdk-lib/aws-kms";
import type { IFunction } from "aws-cdk-lib/aws-lambda";
import type { IBucket } from "aws-cdk-lib/aws-s3";
import type { ITopic } from "aws-cdk-lib/aws-sns";
import { Construct } from "constructs";
import type { TargetTag } from "../../contract/environment.ts";
import { METRICS } from "../../contract/names.ts";
import { acknowledgeAnyResource, acknowledgeObjects, acknowledgeWildcard } from "./acknowledge.ts";
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
    for (const name of Object.keys(OBJECTS) as FleetFunctionName[]) {
      this.#objects(name, props);
      this.#calls(name, props);
    }
    this.#maySendCommands(props);
  }

  #objects(name: FleetFunctionName, { functions, bucket, key }: FleetPermissionsProps): void {
    const { get = [], put = [] } = OBJECTS[name];
    const lambda = functions[name];
    if (get.length > 0) {
      allow(
        lambda,
        "ReadObjects",
        ["s3:GetObject"],
        get.map((prefix) => bucket.arnForObjects(prefix)),
      );
      // Without it S3 answers "access denied" for an object that does not exist, and absence could not be told from refusal.
      allow(lambda, "TellAbsence", ["s3:ListBucket"], [bucket.bucketArn]);
    }
    if (put.length > 0)
      allow(
        lambda,
        "WriteObjects",
        ["s3:PutObject"],
        put.map((prefix) => bucket.arnForObjects(prefix)),
      );
    const keyActions = [...(get.length > 0 ? ["kms:Decrypt"] : []), ...(put.length > 0 ? ["kms:GenerateDataKey"] : [])];
    allow(lambda, "UseKey", keyActions, [key.keyArn]);
    acknowledgeObjects(roleOf(lambda), bucket, [...new Set([...get, ...put])]);
  }

  #calls(name: FleetFunctionName, { functions, key, topic }: FleetPermissionsProps): void {
    const lambda = functions[name];
    const reads = READS[name] ?? [];
    if (reads.length > 0) allow(lambda, "ReadSystemsManager", reads, ["*"]);
    if (name === "await" || name === "on-event")
      allow(lambda, "AnswerTokens", ["states:SendTaskSuccess"], [stateMachineArn(Stack.of(this), "PatchBatch")]);
    if (name === "report")
      allow(lambda, "PublishMetrics", ["cloudwatch:PutMetricData"], ["*"], {
        StringEquals: { "cloudwatch:namespace": [METRICS.operations, METRICS.security] },
      });
    if (name === "notify") {
      allow(lambda, "Publish", ["sns:Publish"], [topic.topicArn]);
      allow(lambda, "UseTopicKey", ["kms:Decrypt", "kms:GenerateDataKey"], [key.keyArn]);
    }
    acknowledgeAnyResource(
      roleOf(lambda),
      `X-Ray knows no resources${reads.length > 0 ? `, nor do ${reads.join(" and ")}, which only read` : ""}${name === "report" ? "; PutMetricData is held by its namespace" : ""}.`,
    );
  }

  /** Two statements: the tag's condition must not stand on the documents, which do not carry it. */
  #maySendCommands({ functions, documentArns, tag }: FleetPermissionsProps): void {
    const instances = ["ec2:instance", "ssm:managed-instance"].map((kind) => {
      const [service = "", resource = ""] = kind.split(":");
      acknowledgeWildcard(
        roleOf(functions.dispatch),
        `arn:<AWS::Partition>:${service}:<AWS::Region>:<AWS::AccountId>:${resource}/*`,
        "Hosts come and go; the condition on the tag says which.",
      );
      return Stack.of(this).formatArn({
        service,
        resource,
        resourceName: "*",
        arnFormat: ArnFormat.SLASH_RESOURCE_NAME,
      });
    });
    allow(functions.dispatch, "SendOurDocuments", ["ssm:SendCommand"], documentArns);
    allow(functions.dispatch, "ToEnrolledHosts", ["ssm:SendCommand"], instances, {
      StringEquals: { [`ssm:resourceTag/${tag.key}`]: tag.value },
    });
  }
}

function roleOf(lambda: IFunction): IRole {
  if (lambda.role === undefined) throw new Error(`${lambda.node.path} has no role`);
  return lambda.role;
}

function allow(
  lambda: IFunction,
  sid: string,
  actions: readonly string[],
  resources: readonly string[],
  conditions: Record<string, unknown> = {},
): void {
  lambda.addToRolePolicy(new PolicyStatement({ sid, actions: [...actions], resources: [...resources], conditions }));
}
