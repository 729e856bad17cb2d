import { ArnFormat, Stack } from "aws-cdk-lib";
import type { IGrantable } from "aws-cdk-lib/aws-iam";
import type { IKey } from "aws-cdk-lib/aws-kms";
import { LogGroup, type RetentionDays } from "aws-cdk-lib/aws-logs";
import type { IBucket } from "aws-cdk-lib/aws-s3";
import { DefinitionBody, type IChainable, LogLevel, QueryLanguage, StateMachine } from "aws-cdk-lib/aws-stepfunctions";
import { Construct } from "constructs";
import { patchBatch } from "../workflows/patch-batch.ts";
import { patchFleet } from "../workflows/patch-fleet.ts";
import type { FleetFunctions } from "./fleet-functions.ts";

export interface StateMachinesProps {
  readonly functions: FleetFunctions["byName"];
  readonly bucket: IBucket;
  readonly key: IKey;
  readonly waitSliceSeconds: number;
  readonly pauseSeconds: number;
  readonly batchesAtOnce: number;
  readonly keepLogsDays: RetentionDays;
}

/** Names follow the stack's: Lambdas answer tokens by a machine's ARN, and a reference to the machine itself would be a circle. */
export function stateMachineName(stack: Stack, machine: "PatchFleet" | "PatchBatch"): string {
  return `${stack.stackName}-${machine}`;
}

export function stateMachineArn(stack: Stack, machine: "PatchFleet" | "PatchBatch"): string {
  return stack.formatArn({
    service: "states",
    resource: "stateMachine",
    resourceName: stateMachineName(stack, machine),
    arnFormat: ArnFormat.COLON_RESOURCE_NAME,
  });
}

/** PatchFleet and PatchBatch, logged and traced. */
export class StateMachines extends Construct {
  readonly patchFleet: StateMachine;
  readonly patchBatch: StateMachine;

  constructor(scope: Construct, id: string, props: StateMachinesProps) {
    super(scope, id);
    const machine = (name: "PatchFleet" | "PatchBatch", define: (scope: Construct) => IChainable) => {
      const parts = new Construct(this, name);
      return new StateMachine(parts, "StateMachine", {
        stateMachineName: stateMachineName(Stack.of(this), name),
        queryLanguage: QueryLanguage.JSONATA,
        definitionBody: DefinitionBody.fromChainable(define(parts)),
        tracingEnabled: true,
        logs: {
          destination: new LogGroup(parts, "Logs", { retention: props.keepLogsDays }),
          level: LogLevel.ALL,
          includeExecutionData: true,
        },
      });
    };
    this.patchBatch = machine("PatchBatch", (parts) => patchBatch(parts, props));
    this.patchFleet = machine("PatchFleet", (parts) => patchFleet(parts, { ...props, patchBatch: this.patchBatch }));
    const reader: IGrantable = this.patchFleet;
    props.key.grantDecrypt(reader);
  }
}
