import { createHash } from "node:crypto";
import { type Physical, resolve } from "./intrinsics.ts";
import type { Resource } from "./template.ts";

/** Where the local stack claims to be. The account is AWS's own example number. */
export interface Place {
  readonly account: string;
  readonly region: string;
  readonly stackName: string;
}

type Naming = (id: string, properties: Readonly<Record<string, unknown>>, place: Place) => Physical;

/** The pseudo parameters of CloudFormation in that place. */
export function pseudoParameters({ account, region, stackName }: Place): Record<string, string> {
  return {
    "AWS::AccountId": account,
    "AWS::Region": region,
    "AWS::StackName": stackName,
    "AWS::Partition": "aws",
    "AWS::URLSuffix": "amazonaws.com",
    "AWS::StackId": arn("cloudformation", `stack/${stackName}/local`, { account, region, stackName }),
  };
}

const arn = (service: string, resource: string, { region, account }: Place) =>
  `arn:aws:${service}:${region}:${account}:${resource}`;
const without: Naming = () => ({ ref: "", attributes: {} });

/**
 * How each resource type of the stack is called once deployed. Names that depend on other resources cannot be given here, and
 * our stack has none. A type that is missing is refused when the stack is loaded: nothing is passed over in silence.
 */
const NAMING: Readonly<Record<string, Naming>> = {
  "AWS::S3::Bucket": (id, properties, place) => {
    const name = text(properties.BucketName) ?? generated(id, place, 63).toLowerCase();
    return { ref: name, attributes: { Arn: `arn:aws:s3:::${name}` } };
  },
  "AWS::KMS::Key": (id, _properties, place) => {
    const key = uuid(`${place.stackName}/${id}`);
    return { ref: key, attributes: { Arn: arn("kms", `key/${key}`, place), KeyId: key } };
  },
  "AWS::KMS::Alias": (_id, properties) => ({ ref: text(properties.AliasName) ?? "", attributes: {} }),
  "AWS::SNS::Topic": (id, properties, place) => {
    const name = text(properties.TopicName) ?? generated(id, place, 256);
    return { ref: arn("sns", name, place), attributes: { TopicArn: arn("sns", name, place), TopicName: name } };
  },
  "AWS::SQS::Queue": (id, properties, place) => {
    const name = text(properties.QueueName) ?? generated(id, place, 80);
    const url = `https://sqs.${place.region}.amazonaws.com/${place.account}/${name}`;
    return { ref: url, attributes: { Arn: arn("sqs", name, place), QueueName: name, QueueUrl: url } };
  },
  "AWS::Lambda::Function": (id, properties, place) => {
    const name = text(properties.FunctionName) ?? generated(id, place, 64);
    return { ref: name, attributes: { Arn: arn("lambda", `function:${name}`, place) } };
  },
  "AWS::IAM::Role": (id, properties, place) => {
    const name = text(properties.RoleName) ?? generated(id, place, 64);
    return { ref: name, attributes: { Arn: `arn:aws:iam::${place.account}:role/${name}`, RoleId: roleId(name) } };
  },
  "AWS::IAM::ManagedPolicy": (id, properties, place) => {
    const name = text(properties.ManagedPolicyName) ?? generated(id, place, 128);
    return { ref: `arn:aws:iam::${place.account}:policy/${name}`, attributes: {} };
  },
  "AWS::Events::Rule": (id, properties, place) => {
    const name = text(properties.Name) ?? generated(id, place, 64);
    return { ref: name, attributes: { Arn: arn("events", `rule/${name}`, place) } };
  },
  "AWS::Logs::LogGroup": (id, properties, place) => {
    const name = text(properties.LogGroupName) ?? `/autopatch/${id}`;
    return { ref: name, attributes: { Arn: `${arn("logs", `log-group:${name}`, place)}:*` } };
  },
  "AWS::StepFunctions::StateMachine": (id, properties, place) => {
    const name = text(properties.StateMachineName) ?? generated(id, place, 80);
    const machine = arn("states", `stateMachine:${name}`, place);
    return { ref: machine, attributes: { Arn: machine, Name: name } };
  },
  "AWS::SSM::Document": (id, properties, place) => ({
    ref: text(properties.Name) ?? generated(id, place, 128),
    attributes: {},
  }),
  "AWS::CloudWatch::Alarm": (id, properties, place) => {
    const name = text(properties.AlarmName) ?? generated(id, place, 255);
    return { ref: name, attributes: { Arn: arn("cloudwatch", `alarm:${name}`, place) } };
  },
  "AWS::CloudWatch::Dashboard": (id, properties, place) => ({
    ref: text(properties.DashboardName) ?? generated(id, place, 255),
    attributes: {},
  }),
  "AWS::Scheduler::ScheduleGroup": (_id, properties, place) => {
    const name = text(properties.Name) ?? "";
    return { ref: name, attributes: { Arn: arn("scheduler", `schedule-group/${name}`, place) } };
  },
  // The local stack has no clock of its own: schedules stand in it and start nothing.
  "AWS::Scheduler::Schedule": without,
  // These say who may do what, or how a service treats the resources above; nothing refers to them.
  "AWS::IAM::Policy": without,
  "AWS::Lambda::Permission": without,
  "AWS::Lambda::EventInvokeConfig": without,
  "AWS::S3::BucketPolicy": without,
  "AWS::SNS::TopicPolicy": without,
  "AWS::SQS::QueuePolicy": without,
  "AWS::CDK::Metadata": without,
};

/** Properties that name a resource; only pseudo parameters may stand in them. */
const NAME_PROPERTIES = [
  "BucketName",
  "AliasName",
  "TopicName",
  "QueueName",
  "FunctionName",
  "RoleName",
  "ManagedPolicyName",
  "LogGroupName",
  "AlarmName",
  "DashboardName",
  "StateMachineName",
  "Name",
];

/** Names every resource of a stack. @throws Error naming each type that the local stack does not know */
export function nameResources(resources: Readonly<Record<string, Resource>>, place: Place): Map<string, Physical> {
  const scope = { physical: new Map<string, Physical>(), pseudo: pseudoParameters(place) };
  const unknown = new Set<string>();
  const named = new Map<string, Physical>();
  for (const [id, { Type, Properties = {} }] of Object.entries(resources)) {
    const naming = NAMING[Type];
    if (naming === undefined) {
      unknown.add(Type);
      continue;
    }
    // On a resource without a name of its own these properties name another one.
    const names = naming === without ? [] : NAME_PROPERTIES.filter((name) => name in Properties);
    named.set(id, naming(id, Object.fromEntries(names.map((name) => [name, resolve(Properties[name], scope)])), place));
  }
  if (unknown.size > 0) {
    throw new Error(`the local stack does not know these resource types: ${[...unknown].join(", ")}`);
  }
  return named;
}

/** The id that IAM gives a role, which `aws:userid` begins with. */
export function roleId(roleName: string): string {
  return `AROA${createHash("sha256").update(roleName).digest("hex").slice(0, 17).toUpperCase()}`;
}

function text(value: unknown): string | undefined {
  return typeof value === "string" ? value : undefined;
}

function generated(id: string, place: Place, longest: number): string {
  const suffix = createHash("sha256").update(`${place.stackName}/${id}`).digest("hex").slice(0, 12);
  return `${`${place.stackName}-${id}`.slice(0, longest - 13)}-${suffix}`;
}

function uuid(seed: string): string {
  const hex = createHash("sha256").update(seed).digest("hex");
  return [hex.slice(0, 8), hex.slice(8, 12), `4${hex.slice(13, 16)}`, `8${hex.slice(17, 20)}`, hex.slice(20, 32)].join(
    "-",
  );
}
