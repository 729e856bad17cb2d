import type { ExecutionStatus } from "@aws-sdk/client-sfn";
import type { History } from "./history.ts";
import type { Json } from "./json.ts";

/** One execution, running or over. */
export interface ExecutionRecord {
  readonly arn: string;
  readonly name: string;
  readonly stateMachineArn: string;
  /** `Machine`, or `Machine/Label` for a child of a Map Run. */
  readonly stateMachineName: string;
  readonly roleArn: string;
  readonly mapRunArn: string | undefined;
  readonly input: Json;
  readonly startDate: Date;
  readonly history: History;
  /** Aborted when the execution is stopped. */
  readonly controller: AbortController;
  /** Resolves once the execution is over; never rejects. */
  readonly finished: Promise<void>;
  status: ExecutionStatus;
  stopDate: Date | undefined;
  output: Json | undefined;
  error: string | undefined;
  cause: string | undefined;
  /** State transitions billed so far: entries and retries. */
  transitions: number;
}
