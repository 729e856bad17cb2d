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
import type { SigningKey } from "./signing-key.ts";
import { stateMachineArn } from "./state-machines.ts";

export interface FleetPermissionsProps {
  readonly functions: FleetFunctions["byName"];
  readonly bucket: IBucket;
  readonly key: IKey;
  readonly signingKey: SigningKey;
  readonly topic: ITopic;
  readonly commandArns: readonly string[];
  readonly operationArns: readonly string[];
  readonly tag: TargetTag;
  /** ARN or name of the secret with the Slack webhook's address, and the key it is encrypted with where that is a customer's. @default none */
  readonly slackSecret?: string | undefined;
  readonly slackSecretKey?: string | undefined;
  /** Where people's decisions lie. */
  readonly decisions: IBucket;
  /** Change calendars that the gate asks. */
  readonly calendars: readonly string[];
}

/** What each Lambda reads and writes in the bucket, by prefix. */
const OBJECTS: Readonly<
  Record<FleetFunctionName, { readonly get?: readonly string[]; readonly put?: readonly string[] }>
> = {
  plan: { get: ["runs/*", "leases/*"], put: ["runs/*", "leases/*"] },
  gate: { get: ["runs/*", "leases/*"], put: ["runs/*", "leases/*"] },
  dispatch: { get: ["runs/*"], put: ["runs/*", "commands/*"] },
  "front-door": {},
  "on-event": { get: ["commands/*", "runs/*"], put: ["runs/*"] },
  // The canaries' plans are held against each other before anything is applied, and people approve what hosts report.
  assess: { get: ["runs/*", "hosts/*"], put: ["runs/*"] },
  "ask-approval": { get: ["runs/*", "leases/*"], put: ["runs/*", "leases/*"] },
  "on-decision": { get: ["runs/*"], put: ["runs/*"] },
  promote: { get: ["runs/*", "hosts/*", "fleet-locks/*"], put: ["runs/*", "fleet-locks/*"] },
  pool: { get: ["runs/*", "fleet-locks/*", "offered/*", "pool/*"], put: ["pool/*"] },
  report: { get: ["runs/*", "hosts/*", "compliance/*", "leases/*"], put: ["runs/*", "compliance/*", "leases/*"] },
  notify: { get: ["runs/*"] },
  "start-scheduled": {},
};

/** What people have decided, by the prefix of its keys. */
const DECISIONS: Readonly<Partial<Record<FleetFunctionName, readonly string[]>>> = {
  gate: ["stop/*", "freeze/*"],
  "ask-approval": ["approvals/*", "stop/*", "freeze/*"],
  "on-decision": ["approvals/*", "stop/*", "freeze/*"],
};

const RESULTS = ["ssm:ListCommandInvocations", "ssm:GetCommandInvocation"];
/** Calls that only read. IAM knows no resource for them: it is all or nothing. */
const READS: Readonly<Partial<Record<FleetFunctionName, readonly string[]>>> = {
  plan: [
    "ssm:DescribeInstanceInformation",
    "autoscaling:DescribeAutoScalingGroups",
    "autoscaling:DescribeAutoScalingInstances",
    // A resource group by tags is resolved with the rights of who asks.
    "tag:GetResources",
  ],
  // Of a composite alarm CloudWatch tells nobody who may not ask for all.
  gate: ["cloudwatch:DescribeAlarms"],
  dispatch: ["ssm:DescribeInstanceInformation", ...RESULTS],
  "on-event": RESULTS,
};

/** Those that tell CloudWatch: the run's figures, and a violation as soon as it is seen. */
const PUBLISHERS: ReadonlySet<FleetFunctionName> = new Set<FleetFunctionName>(["report", "assess"]);

/** Least privilege, one Lambda at a time. */
export class FleetPermissions extends Construct {
  constructor(scope: Construct, id: string, props: FleetPermissionsProps) {
    super(scope, id);
    for (const name of Object.keys(OBJECTS) as FleetFunctionName[]) {
      this.#objects(name, props);
      this.#calls(name, props);
      this.#decisions(name, props);
    }
    this.#asksGroups(props);
    this.#asksCalendars(props);
    this.#maySendCommands("dispatch", props.commandArns, props);
    this.#maySendCommands("front-door", props.operationArns, props);
    this.#mayTellCompliance("report", props);
    this.#mayReadWebhook("notify", props);
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
    if (get.length + put.length === 0) return;
    const keyActions = [...(get.length > 0 ? ["kms:Decrypt"] : []), ...(put.length > 0 ? ["kms:GenerateDataKey"] : [])];
    allow(lambda, "UseKey", keyActions, [key.keyArn]);
    acknowledgeObjects(roleOf(lambda), bucket, [...new Set([...get, ...put])]);
  }

  #calls(name: FleetFunctionName, { functions, bucket, key, signingKey, topic }: FleetPermissionsProps): void {
    const lambda = functions[name];
    const reads = READS[name] ?? [];
    if (reads.length > 0) allow(lambda, "ReadOnly", reads, ["*"]);
    const fleet = stateMachineArn(Stack.of(this), "PatchFleet");
    if (name === "ask-approval" || name === "on-decision")
      allow(lambda, "AnswerTokens", ["states:SendTaskSuccess"], [fleet]);
    if (name === "start-scheduled") allow(lambda, "StartRuns", ["states:StartExecution"], [fleet]);
    if (name === "dispatch" || name === "on-event")
      allow(lambda, "AnswerTokens", ["states:SendTaskSuccess"], [stateMachineArn(Stack.of(this), "PatchBatch")]);
    if (name === "pool") {
      // The very version that was looked at, whatever its host has put there since.
      allow(lambda, "ReadOfferedVersions", ["s3:GetObjectVersion"], [bucket.arnForObjects("offered/*")]);
      allow(lambda, "KnowPublicKey", ["kms:GetPublicKey"], [signingKey.key.keyArn]);
    }
    if (name === "promote") signingKey.onlySigner(roleOf(lambda));
    if (PUBLISHERS.has(name))
      allow(lambda, "PublishMetrics", ["cloudwatch:PutMetricData"], ["*"], {
        StringEquals: { "cloudwatch:namespace": [METRICS.operations, METRICS.security] },
      });
    if (name === "notify" || name === "front-door" || name === "ask-approval") {
      allow(lambda, "Publish", ["sns:Publish"], [topic.topicArn]);
      allow(lambda, "UseTopicKey", ["kms:Decrypt", "kms:GenerateDataKey"], [key.keyArn]);
    }
    acknowledgeAnyResource(
      roleOf(lambda),
      `X-Ray knows no resources${reads.length > 0 ? `, nor do ${reads.join(" and ")}, which only read` : ""}${PUBLISHERS.has(name) ? "; PutMetricData is held by its namespace" : ""}.`,
    );
  }

  #decisions(name: FleetFunctionName, { functions, decisions }: FleetPermissionsProps): void {
    const prefixes = DECISIONS[name] ?? [];
    if (prefixes.length === 0) return;
    allow(
      functions[name],
      "ReadDecisions",
      ["s3:GetObject"],
      prefixes.map((prefix) => decisions.arnForObjects(prefix)),
    );
    allow(functions[name], "ListDecisions", ["s3:ListBucket"], [decisions.bucketArn], {
      StringLike: { "s3:prefix": [...prefixes] },
    });
    acknowledgeObjects(roleOf(functions[name]), decisions, prefixes);
  }

  /** The request of a run names the group, so any of this account's may be asked. */
  #asksGroups({ functions: { plan } }: FleetPermissionsProps): void {
    const groups = Stack.of(this).formatArn({ service: "resource-groups", resource: "group", resourceName: "*" });
    allow(plan, "ResolveGroups", ["resource-groups:ListGroupResources"], [groups]);
    acknowledgeWildcard(
      roleOf(plan),
      "arn:<AWS::Partition>:resource-groups:<AWS::Region>:<AWS::AccountId>:group/*",
      "The request of a run names the group.",
    );
  }

  #asksCalendars({ functions: { gate }, calendars }: FleetPermissionsProps): void {
    if (calendars.length === 0) return;
    const arnOf = (name: string) =>
      name.startsWith("arn:")
        ? name
        : Stack.of(this).formatArn({ service: "ssm", resource: "document", resourceName: name });
    allow(gate, "AskCalendars", ["ssm:GetCalendarState"], calendars.map(arnOf));
  }

  /** Two statements: the tag's condition must not stand on the documents, which do not carry it. */
  #maySendCommands(name: FleetFunctionName, documentArns: readonly string[], props: FleetPermissionsProps): void {
    allow(props.functions[name], "SendOurDocuments", ["ssm:SendCommand"], documentArns);
    this.#onEnrolledHosts(name, "ToEnrolledHosts", "ssm:SendCommand", props);
  }

  /** IAM knows the instance as the resource of this call, and its tags. */
  #mayTellCompliance(name: FleetFunctionName, props: FleetPermissionsProps): void {
    this.#onEnrolledHosts(name, "TellCompliance", "ssm:PutComplianceItems", props);
  }

  #mayReadWebhook(name: FleetFunctionName, { functions, slackSecret, slackSecretKey }: FleetPermissionsProps): void {
    if (slackSecret === undefined) return;
    // A secret's ARN ends in six characters of the service's own, which its name does not tell.
    const arn = slackSecret.startsWith("arn:")
      ? slackSecret
      : Stack.of(this).formatArn({
          service: "secretsmanager",
          resource: "secret",
          resourceName: `${slackSecret}-??????`,
          arnFormat: ArnFormat.COLON_RESOURCE_NAME,
        });
    allow(functions[name], "ReadWebhook", ["secretsmanager:GetSecretValue"], [arn]);
    if (slackSecretKey !== undefined) allow(functions[name], "UseSecretKey", ["kms:Decrypt"], [slackSecretKey]);
  }

  #onEnrolledHosts(
    name: FleetFunctionName,
    sid: string,
    action: string,
    { functions, tag }: FleetPermissionsProps,
  ): void {
    const lambda = functions[name];
    const instances = ["ec2:instance", "ssm:managed-instance"].map((kind) => {
      const [service = "", resource = ""] = kind.split(":");
      acknowledgeWildcard(
        roleOf(lambda),
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
    allow(lambda, sid, [action], instances, {
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
