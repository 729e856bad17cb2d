import { DefinitionError } from "./errors.ts";

/** What a Task's Resource ARN asks for. `resource` and `resourceType` are the words the history shows. */
export type TaskResource =
  | { readonly kind: "function"; readonly arn: string }
  | { readonly kind: "invoke"; readonly token: boolean; readonly resource: string; readonly resourceType: string }
  | {
      readonly kind: "startExecution";
      readonly sync: boolean;
      readonly token: boolean;
      readonly resource: string;
      readonly resourceType: string;
    }
  | {
      readonly kind: "sdk";
      readonly service: string;
      readonly action: string;
      readonly errorPrefix: string;
      readonly token: boolean;
      readonly resource: string;
      readonly resourceType: string;
    };

/**
 * How an SDK service's errors begin (`aws-sdk:` integrations take the Java client's name). A service that is not here is
 * refused when the definition is loaded: guessing its prefix would make a Catch match locally and not in the account.
 */
const SDK_ERROR_PREFIX: Readonly<Record<string, string>> = {
  autoscaling: "AutoScaling",
  cloudwatch: "CloudWatch",
  dynamodb: "DynamoDb",
  ec2: "Ec2",
  eventbridge: "EventBridge",
  s3: "S3",
  secretsmanager: "SecretsManager",
  sfn: "Sfn",
  sns: "Sns",
  sqs: "Sqs",
  ssm: "Ssm",
};

const FUNCTION = /^arn:aws[a-z-]*:lambda:[a-z0-9-]+:\d{12}:function:[A-Za-z0-9_-]+(:[A-Za-z0-9_$-]+)?$/;
const INTEGRATION =
  /^arn:aws[a-z-]*:states:::([a-z0-9-]+(?::[a-z0-9]+)?):([A-Za-z0-9]+)(\.sync:2|\.sync|\.waitForTaskToken)?$/;

/** Reads a Task's Resource. @throws DefinitionError for every ARN outside the interpreted subset, naming it. */
export function parseResource(arn: string, where: string): TaskResource {
  if (FUNCTION.test(arn)) return { kind: "function", arn };
  const match = INTEGRATION.exec(arn);
  if (match === null) throw new DefinitionError(where, `the Resource ${arn} is not an ARN this interpreter knows`);
  const [, resourceType = "", action = "", suffix = ""] = match;
  const shown = { resource: `${action}${suffix}`, resourceType };
  const token = suffix === ".waitForTaskToken";
  const sync = suffix === ".sync:2";
  if (suffix === ".sync")
    throw new DefinitionError(where, `the Resource ${arn}: .sync is not interpreted, use .sync:2`);
  if (resourceType === "lambda" && action === "invoke" && !sync) return { kind: "invoke", token, ...shown };
  if (resourceType === "states" && action === "startExecution")
    return { kind: "startExecution", sync, token, ...shown };
  if (resourceType === "sns" && action === "publish" && !sync) {
    return { kind: "sdk", service: "sns", action, errorPrefix: "SNS", token, ...shown };
  }
  const service = resourceType.startsWith("aws-sdk:") ? resourceType.slice("aws-sdk:".length) : undefined;
  const errorPrefix = service === undefined ? undefined : SDK_ERROR_PREFIX[service];
  if (service === undefined || errorPrefix === undefined || sync) {
    throw new DefinitionError(where, `the Resource ${arn} is an integration this interpreter does not know`);
  }
  return { kind: "sdk", service, action, errorPrefix, token, ...shown };
}
