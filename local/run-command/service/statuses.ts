/** What became of one invocation, in the words of StatusDetails. */
export type InvocationDetail =
  | "Pending"
  | "Delayed"
  | "InProgress"
  | "Cancelling"
  | "Success"
  | "Failed"
  | "ExecutionTimedOut"
  | "DeliveryTimedOut"
  | "Cancelled"
  | "Terminated"
  | "Undeliverable";

/** What became of the whole command, in the words of StatusDetails. */
export type CommandDetail =
  | "Pending"
  | "InProgress"
  | "Cancelling"
  | "Success"
  | "Failed"
  | "Incomplete"
  | "DeliveryTimedOut"
  | "Cancelled"
  | "NoInstancesInTag";

const STATUS = {
  Pending: "Pending",
  Delayed: "Delayed",
  InProgress: "InProgress",
  Cancelling: "Cancelling",
  Success: "Success",
  Failed: "Failed",
  Incomplete: "Failed",
  NoInstancesInTag: "Success",
  ExecutionTimedOut: "TimedOut",
  DeliveryTimedOut: "TimedOut",
  Cancelled: "Cancelled",
  Terminated: "Cancelled",
  Undeliverable: "Failed",
} as const satisfies Record<InvocationDetail | CommandDetail, string>;

/** The coarser `Status` that goes with a detail. */
export function statusOf(detail: InvocationDetail | CommandDetail): string {
  return STATUS[detail];
}

const OPEN: readonly InvocationDetail[] = ["Pending", "Delayed", "InProgress", "Cancelling"];

export function hasEnded(detail: InvocationDetail): boolean {
  return !OPEN.includes(detail);
}

/** Delivery that failed counts for nothing: only what ran and went wrong is an error towards MaxErrors. */
export function countsAsError(detail: InvocationDetail): boolean {
  return detail === "Failed" || detail === "ExecutionTimedOut";
}

/**
 * The status of a command whose invocations have all ended, by the rules of the service: undeliverable ones do not count unless
 * all are; too many errors are Failed, some are Incomplete; an undelivered one keeps the command from Success.
 * @param allowedErrors MaxErrors as a number of invocations
 */
export function commandDetail(invocations: readonly InvocationDetail[], allowedErrors: number): CommandDetail {
  const count = (detail: InvocationDetail) => invocations.filter((one) => one === detail).length;
  if (invocations.length === 0) return "NoInstancesInTag";
  if (count("Undeliverable") === invocations.length) return "Failed";
  const errors = invocations.filter(countsAsError).length;
  if (errors > allowedErrors) return "Failed";
  if (count("Cancelled") > 0) return "Cancelled";
  if (count("DeliveryTimedOut") > allowedErrors) return "DeliveryTimedOut";
  return errors + count("DeliveryTimedOut") > 0 ? "Incomplete" : "Success";
}
