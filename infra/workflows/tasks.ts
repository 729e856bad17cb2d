import { Duration } from "aws-cdk-lib";
import type { IFunction } from "aws-cdk-lib/aws-lambda";
import {
  IntegrationPattern,
  JitterType,
  TaskInput,
  type TaskStateBase,
  type Timeout,
} from "aws-cdk-lib/aws-stepfunctions";
import { LambdaInvoke } from "aws-cdk-lib/aws-stepfunctions-tasks";
import type { Construct } from "constructs";

/**
 * Errors that pass by themselves: Lambda's own, a function that died (out of memory, killed, an environment that was lost: whatever it was
 * called with may be asked again), and throttling or trouble of a service that one of our functions called.
 */
const PASSING = [
  "Lambda.Unknown",
  "Runtime.ExitError",
  "Lambda.ServiceException",
  "Lambda.AWSLambdaException",
  "Lambda.SdkClientException",
  "Lambda.ClientExecutionTimeoutException",
  "Lambda.TooManyRequestsException",
  "Sandbox.Timedout",
  "StepFunctions.ThrottlingException",
  "StepFunctions.SdkClientException",
  "ThrottlingException",
  "ThrottledException",
  "TooManyRequestsException",
  "Throttling",
  "SlowDown",
  "ServiceUnavailable",
  "ServiceUnavailableException",
  "InternalServerError",
  "InternalError",
  "RequestTimeout",
  "TimeoutError",
  "InvalidInstanceId",
  "ConditionalRequestConflict",
];

/** Six tries over about two minutes, spread so that batches that were throttled together do not come back together. */
export function retryPassing(task: TaskStateBase): void {
  task.addRetry({
    errors: PASSING,
    interval: Duration.seconds(2),
    backoffRate: 2,
    maxAttempts: 6,
    maxDelay: Duration.seconds(60),
    jitterStrategy: JitterType.FULL,
  });
}

export interface CallProps {
  readonly to: IFunction;
  /** Literals and JSONata. */
  readonly payload: Readonly<Record<string, unknown>>;
  readonly assign?: Record<string, unknown>;
  /** The call ends when its task token is answered, or with States.Timeout. */
  readonly untilAnswered?: Timeout;
}

/** A call of one of the Lambdas, retried while trouble passes. `$states.result.Payload` is its answer; the state's output is empty. */
export function call(scope: Construct, id: string, props: CallProps): LambdaInvoke {
  const task = LambdaInvoke.jsonata(scope, id, {
    lambdaFunction: props.to,
    payload: TaskInput.fromObject(props.payload),
    retryOnServiceExceptions: false,
    outputs: {},
    ...(props.assign === undefined ? {} : { assign: props.assign }),
    ...(props.untilAnswered === undefined
      ? {}
      : { integrationPattern: IntegrationPattern.WAIT_FOR_TASK_TOKEN, taskTimeout: props.untilAnswered }),
  });
  retryPassing(task);
  return task;
}

/** What went wrong, as a value: for `assign` on a Catch. */
export const CAUGHT = {
  name: "{% $states.errorOutput.Error %}",
  // Causes of nested executions hold their whole description.
  cause: "{% $exists($states.errorOutput.Cause) ? $substring($states.errorOutput.Cause, 0, 2000) : '' %}",
};
