import { readBucketPolicies } from "./bucket-policies.ts";
import type { BusRule } from "./event-bus.ts";
import { type AccessRequest, type Policies, readPolicies } from "./iam.ts";
import { resolve } from "./intrinsics.ts";
import type { FunctionSettings } from "./lambda.ts";
import { nameResources, type Place, pseudoParameters } from "./resources.ts";
import type { Assembly, Resource } from "./template.ts";

export interface DeployedFunction extends FunctionSettings {
  readonly logicalId: string;
  readonly arn: string;
  readonly roleName: string;
  /** Its description, or its name when it has none. */
  readonly title: string;
}

export interface DeployedMachine {
  readonly logicalId: string;
  readonly name: string;
  readonly arn: string;
  readonly roleArn: string;
  readonly roleName: string;
  /** JSON text with its references resolved. */
  readonly definition: string;
}

export interface DeployedDocument {
  readonly logicalId: string;
  readonly name: string;
  readonly content: Readonly<Record<string, unknown>>;
}

/** The stack as it would stand in an account: every resource with its name, its properties resolved. */
export interface Deployment {
  readonly place: Place;
  readonly functions: readonly DeployedFunction[];
  readonly machines: readonly DeployedMachine[];
  readonly documents: readonly DeployedDocument[];
  readonly rules: readonly BusRule[];
  readonly buckets: readonly {
    readonly name: string;
    readonly versioned: boolean;
    /** What is put into it is told to EventBridge. */
    readonly tellsEvents: boolean;
  }[];
  readonly topicArns: readonly string[];
  /** KMS keys that sign with P-256; one that signs otherwise is refused. */
  readonly signingKeyArns: readonly string[];
  readonly policies: Policies;
  /** Whether the policy of a bucket refuses it, whoever asks. */
  readonly bucketDenies: (request: AccessRequest) => boolean;
  readonly outputs: Readonly<Record<string, string>>;
}

interface FunctionProperties {
  Description?: string;
  Handler: string;
  Role: string;
  Timeout?: number;
  MemorySize?: number;
  Code: { S3Key: string };
  Environment?: { Variables?: Record<string, string> };
}
interface KeyProperties {
  KeySpec?: string;
  KeyUsage?: string;
}
interface BucketProperties {
  VersioningConfiguration?: { Status: string };
  NotificationConfiguration?: { EventBridgeConfiguration?: { EventBridgeEnabled: boolean } };
}
interface RuleProperties {
  EventPattern?: unknown;
  Targets?: { Arn: string; DeadLetterConfig?: { Arn: string }; RetryPolicy?: { MaximumRetryAttempts?: number } }[];
}

/**
 * Names and resolves every resource of a synthesised stack, as CloudFormation would when it deploys it.
 * @throws Error naming what the local stack does not know
 */
export function deploy(assembly: Assembly, place: Place): Deployment {
  const { resources } = assembly;
  const scope = { physical: nameResources(resources, place), pseudo: pseudoParameters(place) };
  const of = <T>(type: string): { id: string; ref: string; arn: string; properties: T }[] =>
    Object.entries(resources)
      .filter(([, resource]: [string, Resource]) => resource.Type === type)
      .map(([id, resource]) => ({
        id,
        ref: scope.physical.get(id)?.ref ?? "",
        arn: scope.physical.get(id)?.attributes.Arn ?? "",
        properties: resolve(resource.Properties ?? {}, scope) as T,
      }));
  return {
    place,
    functions: of<FunctionProperties>("AWS::Lambda::Function").map(({ id, ref, arn, properties }) => ({
      logicalId: id,
      name: ref,
      arn,
      title: properties.Description ?? ref,
      roleName: lastPart(properties.Role),
      folder: assembly.assetFolder(properties.Code.S3Key),
      handler: properties.Handler,
      environment: properties.Environment?.Variables ?? {},
      timeoutSeconds: properties.Timeout ?? 3,
      memoryMb: properties.MemorySize ?? 128,
    })),
    machines: of<{ DefinitionString: string; RoleArn: string }>("AWS::StepFunctions::StateMachine").map(
      ({ id, ref, arn, properties }) => ({
        logicalId: id,
        name: lastPart(ref, ":"),
        arn,
        roleArn: properties.RoleArn,
        roleName: lastPart(properties.RoleArn),
        definition: properties.DefinitionString,
      }),
    ),
    documents: of<{ Content: Record<string, unknown> }>("AWS::SSM::Document").map(({ id, ref, properties }) => ({
      logicalId: id,
      name: ref,
      content: properties.Content,
    })),
    rules: of<RuleProperties>("AWS::Events::Rule").map(({ ref, properties }) => ({
      name: ref,
      pattern: properties.EventPattern,
      targets: (properties.Targets ?? []).map((target) => ({
        arn: target.Arn,
        deadLetterArn: target.DeadLetterConfig?.Arn ?? null,
        maximumRetryAttempts: target.RetryPolicy?.MaximumRetryAttempts ?? 185,
      })),
    })),
    buckets: of<BucketProperties>("AWS::S3::Bucket").map(({ ref, properties }) => ({
      name: ref,
      versioned: properties.VersioningConfiguration?.Status === "Enabled",
      tellsEvents: properties.NotificationConfiguration?.EventBridgeConfiguration?.EventBridgeEnabled === true,
    })),
    topicArns: of("AWS::SNS::Topic").map(({ ref }) => ref),
    signingKeyArns: of<KeyProperties>("AWS::KMS::Key").flatMap(({ arn, properties }) => signingKey(arn, properties)),
    policies: readPolicies(resources, scope),
    bucketDenies: readBucketPolicies(resources, scope),
    outputs: Object.fromEntries(
      Object.entries(assembly.outputs).map(([name, { Value }]) => [name, String(resolve(Value, scope))]),
    ),
  };
}

function signingKey(arn: string, { KeySpec = "SYMMETRIC_DEFAULT", KeyUsage = "ENCRYPT_DECRYPT" }: KeyProperties) {
  if (KeyUsage === "ENCRYPT_DECRYPT") return [];
  if (KeyUsage !== "SIGN_VERIFY" || KeySpec !== "ECC_NIST_P256")
    throw new Error(`a KMS key for ${KeyUsage} with ${KeySpec} is not known to the local stack`);
  return [arn];
}

function lastPart(text: string, separator = "/"): string {
  return text.slice(text.lastIndexOf(separator) + 1);
}
