import { Duration } from "aws-cdk-lib";
import { Rule } from "aws-cdk-lib/aws-events";
import { LambdaFunction } from "aws-cdk-lib/aws-events-targets";
import type { IFunction } from "aws-cdk-lib/aws-lambda";
import type { IBucket } from "aws-cdk-lib/aws-s3";
import type { IQueue } from "aws-cdk-lib/aws-sqs";
import { Construct } from "constructs";

export interface DecisionEventsProps {
  readonly onDecision: IFunction;
  /** Takes events that could not be delivered. */
  readonly deadLetters: IQueue;
  readonly bucket: IBucket;
}

/** Brings an approval or a rejection to the Lambda that wakes the run. A run also looks for itself. */
export class DecisionEvents extends Construct {
  constructor(scope: Construct, id: string, { onDecision, deadLetters, bucket }: DecisionEventsProps) {
    super(scope, id);
    new Rule(this, "Decided", {
      description: "AutoPatch: somebody has approved or rejected a plan",
      eventPattern: {
        source: ["aws.s3"],
        detailType: ["Object Created"],
        detail: { bucket: { name: [bucket.bucketName] }, object: { key: [{ prefix: "approvals/" }] } },
      },
      targets: [
        new LambdaFunction(onDecision, {
          deadLetterQueue: deadLetters,
          retryAttempts: 4,
          maxEventAge: Duration.hours(1),
        }),
      ],
    });
  }
}
