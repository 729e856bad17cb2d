import { ArnFormat, Stack } from "aws-cdk-lib";
import { PolicyStatement } from "aws-cdk-lib/aws-iam";
import type { IKey } from "aws-cdk-lib/aws-kms";
import { LogGroup, type RetentionDays } from "aws-cdk-lib/aws-logs";
import type { IBucket } from "aws-cdk-lib/aws-s3";
import { DefinitionBody, type IChainable, LogLevel, QueryLanguage, StateMachine } from "aws-cdk-lib/aws-stepfunctions";
import { Construct } from "constructs";
import { type PatchBatchProps, patchBatch } from "../workflows/patch-batch.ts";
import { patchFleet } from "../workflows/patch-fleet.ts";
import { acknowledgeAnyResource, acknowledgeObjects, acknowledgeWildcard, logicalIdOf } from "./acknowledge.ts";
import type { FleetFunctions } from "./fleet-functions.ts";

export interface StateMachinesProps
  extends Pick<PatchBatchProps, "rootVolumes" | "trialEndsSeconds" | "fleet" | "tag"> {
  readonly functions: FleetFunctions["byName"];
  readonly bucket: IBucket;
  readonly key: IKey;
  readonly waitSliceSeconds: number;
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
    for (const [sid, action, resource] of [
      ["ReadItems", "s3:GetObject", props.bucket.arnForObjects("runs/*")],
      ["UseKey", "kms:Decrypt", props.key.keyArn],
    ] as const) {
      this.patchFleet.addToRolePolicy(new PolicyStatement({ sid, actions: [action], resources: [resource] }));
    }
    this.#acknowledge(props);
    if (props.rootVolumes !== "leave") this.#acknowledgeRootVolumes(props.rootVolumes);
  }

  #acknowledge({ functions, bucket }: StateMachinesProps): void {
    const name = (machine: StateMachine) => `{"Fn::Select":[6,{"Fn::Split":[":",{"Ref":"${logicalIdOf(machine)}"}]}]}`;
    const executions = `arn:<AWS::Partition>:states:<AWS::Region>:<AWS::AccountId>:execution:`;
    const anyOf = "Executions are made at run time, and the machine's name stands before the wildcard.";
    acknowledgeObjects(this.patchFleet, bucket, ["runs/*"]);
    acknowledgeWildcard(this.patchFleet, `${executions}${name(this.patchBatch)}*`, anyOf);
    for (const end of [":*", "/*:*"])
      acknowledgeWildcard(this.patchFleet, `${executions}${name(this.patchFleet)}${end}`, anyOf);
    for (const machine of [this.patchBatch, this.patchFleet]) {
      acknowledgeAnyResource(machine, "X-Ray and the delivery of logs know no resources.");
      for (const lambda of Object.values(functions))
        acknowledgeWildcard(machine, `<${logicalIdOf(lambda)}.Arn>:*`, "Versions of one of our own functions.");
    }
  }

  #acknowledgeRootVolumes(rootVolumes: "snapshot" | "replace"): void {
    const ofHosts = "arn:<AWS::Partition>:ec2:<AWS::Region>:<AWS::AccountId>:";
    const tasks = rootVolumes === "replace" ? [`${ofHosts}replace-root-volume-task/*`] : [];
    for (const resource of [`${ofHosts}instance/*`, `${ofHosts}volume/*`, ...tasks])
      acknowledgeWildcard(this.patchBatch, resource, "Hosts come and go; the condition on their tag says which.");
    acknowledgeWildcard(
      this.patchBatch,
      "arn:<AWS::Partition>:ec2:<AWS::Region>::snapshot/*",
      "A snapshot has no name before it is made; the condition on its tag says whose.",
    );
  }
}
