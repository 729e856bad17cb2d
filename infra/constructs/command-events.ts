import { Duration } from "aws-cdk-lib";
import { Rule } from "aws-cdk-lib/aws-events";
import { LambdaFunction } from "aws-cdk-lib/aws-events-targets";
import type { IFunction } from "aws-cdk-lib/aws-lambda";
import type { IQueue } from "aws-cdk-lib/aws-sqs";
import { Construct } from "constructs";

export interface CommandEventsProps {
  readonly onEvent: IFunction;
  /** Takes events that could not be delivered. */
  readonly deadLetters: IQueue;
  /** Only commands with these documents are ours. */
  readonly documentNames: readonly string[];
}

/** Brings the end of a command to the Lambda that wakes its batch. Best effort on AWS's side: a batch also looks for itself. */
export class CommandEvents extends Construct {
  constructor(scope: Construct, id: string, props: CommandEventsProps) {
    super(scope, id);
    new Rule(this, "CommandEnded", {
      description: "AutoPatch: an SSM command of a step has ended",
      eventPattern: {
        source: ["aws.ssm"],
        detailType: ["EC2 Command Status-change Notification"],
        detail: {
          "document-name": [...props.documentNames],
          status: ["Success", "Failed", "TimedOut", "Cancelled"],
        },
      },
      targets: [
        new LambdaFunction(props.onEvent, {
          deadLetterQueue: props.deadLetters,
          retryAttempts: 4,
          maxEventAge: Duration.hours(1),
        }),
      ],
    });
  }
}
