import type { Catcher, Retrier } from "./definition.ts";
import type { StateFailure } from "./errors.ts";

/**
 * Does one ErrorEquals list name this failure? States.Runtime is never retried nor caught; States.DataLimitExceeded only by
 * its own name; States.TaskFailed stands for all but time-outs. Source: AWS, "Handling errors in Step Functions workflows".
 */
export function matches(errorEquals: readonly string[], failure: StateFailure): boolean {
  if (failure.error === "States.Runtime") return false;
  if (errorEquals.includes(failure.error)) return true;
  if (failure.heartbeat && errorEquals.includes("States.HeartbeatTimeout")) return true;
  if (failure.error === "States.DataLimitExceeded") return false;
  if (errorEquals.includes("States.ALL")) return true;
  return errorEquals.includes("States.TaskFailed") && failure.error !== "States.Timeout";
}

/** What Retry says about a failure: wait this long and try again, or not. */
export type RetryDecision =
  | { readonly retry: true; readonly retrier: number; readonly delayMs: number }
  | { readonly retry: false };

/**
 * Decides whether a failed state runs again. `used` counts, by retrier, how often each has been used for this entry of the
 * state; `fraction` (0 to 1) spreads the delay when the retrier asks for FULL jitter. Pure.
 */
export function decideRetry(
  retriers: readonly Retrier[],
  failure: StateFailure,
  used: ReadonlyMap<number, number>,
  fraction: () => number,
): RetryDecision {
  const index = retriers.findIndex((retrier) => matches(retrier.errorEquals, failure));
  const retrier = retriers[index];
  const attempts = used.get(index) ?? 0;
  if (retrier === undefined || attempts >= retrier.maxAttempts) return { retry: false };
  const grown = retrier.intervalSeconds * retrier.backoffRate ** attempts;
  const capped = Math.min(grown, retrier.maxDelaySeconds ?? Number.POSITIVE_INFINITY);
  return { retry: true, retrier: index, delayMs: capped * 1000 * (retrier.jitter ? fraction() : 1) };
}

/** The first catcher that names the failure. */
export function findCatcher(catchers: readonly Catcher[], failure: StateFailure): Catcher | undefined {
  return catchers.find((catcher) => matches(catcher.errorEquals, failure));
}
