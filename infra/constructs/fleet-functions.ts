import { Duration } from "aws-cdk-lib";
import { Role, ServicePrincipal } from "aws-cdk-lib/aws-iam";
import {
  Architecture,
  Code,
  type IFunction,
  Function as LambdaFunction,
  Runtime,
  Tracing,
} from "aws-cdk-lib/aws-lambda";
import { LogGroup, type RetentionDays } from "aws-cdk-lib/aws-logs";
import type { IQueue } from "aws-cdk-lib/aws-sqs";
import { Construct } from "constructs";
import { withBundles } from "./bundles.ts";

/** Name of each Lambda and its file in lambdas/handlers. */
export const FLEET_FUNCTIONS = [
  "plan",
  "gate",
  "dispatch",
  "front-door",
  "on-event",
  "assess",
  "ask-approval",
  "on-decision",
  "promote",
  "pool",
  "report",
  "notify",
  "start-scheduled",
] as const;
export type FleetFunctionName = (typeof FLEET_FUNCTIONS)[number];

/**
 * Seconds that those may take which read something of every host of a wave, take some hundred packages into the pool, or page through every
 * instance of a large account. The others have 60: a batch whose lines were cut is read host by host.
 */
const TIMEOUT_SECONDS: Readonly<Partial<Record<FleetFunctionName, number>>> = {
  plan: 900,
  assess: 300,
  promote: 300,
  pool: 300,
  report: 900,
};

/** Invoked by events: what they could not handle goes to the dead letters. */
const BY_EVENT: ReadonlySet<FleetFunctionName> = new Set<FleetFunctionName>([
  "on-event",
  "on-decision",
  "start-scheduled",
]);

export interface FleetFunctionsProps {
  readonly environment: Readonly<Record<string, string>>;
  /** Takes events that their function could not handle. */
  readonly deadLetters: IQueue;
  readonly keepLogsDays: RetentionDays;
}

/** The Lambdas, each bundled alone with just the SDK clients it calls. What they may do is granted elsewhere. */
export class FleetFunctions extends Construct {
  readonly byName: Readonly<Record<FleetFunctionName, IFunction>>;

  constructor(scope: Construct, id: string, props: FleetFunctionsProps) {
    super(scope, id);
    const built = new Map<FleetFunctionName, IFunction>();
    withBundles(FLEET_FUNCTIONS, (folderOf) => {
      for (const name of FLEET_FUNCTIONS) built.set(name, this.#build(name, folderOf(name), props));
    });
    this.byName = Object.fromEntries(built) as Record<FleetFunctionName, IFunction>;
  }

  #build(name: FleetFunctionName, folder: string, props: FleetFunctionsProps): IFunction {
    const logGroup = new LogGroup(this, `${name}-logs`, { retention: props.keepLogsDays });
    // Its own role, so that it may write its own log and no other; the managed policy would allow every log of the account.
    const role = new Role(this, `${name}-role`, { assumedBy: new ServicePrincipal("lambda.amazonaws.com") });
    logGroup.grantWrite(role);
    return new LambdaFunction(this, name, {
      description: `AutoPatch: ${name}`,
      code: Code.fromAsset(folder),
      handler: "index.handler",
      runtime: Runtime.NODEJS_24_X,
      architecture: Architecture.ARM_64,
      memorySize: name === "report" ? 1024 : 512,
      timeout: Duration.seconds(TIMEOUT_SECONDS[name] ?? 60),
      environment: { ...props.environment },
      role,
      logGroup,
      tracing: Tracing.ACTIVE,
      ...(BY_EVENT.has(name) ? { deadLetterQueue: props.deadLetters, retryAttempts: 2 } : {}),
    }) as IFunction;
  }
}
