import type { GuardedState } from "./definition.ts";
import { Aborted, errorOutput, type StateFailure } from "./errors.ts";
import { asFailure, noteEvaluation } from "./failing.ts";
import type { Json } from "./json.ts";
import { leave } from "./leave.ts";
import { decideRetry, findCatcher } from "./retry.ts";
import { note, type Step, type Visit } from "./run.ts";
import { pause } from "./waiting.ts";

/**
 * Runs a state that may have Retry and Catch: the attempt and its Output and Assign are tried again or caught as one; what
 * goes wrong in a catcher's own Output or Assign fails the state.
 */
export async function runGuarded<S extends GuardedState>(
  visit: Visit<S>,
  attempt: (visit: Visit<S>) => Promise<Json>,
): Promise<Step> {
  const { state, branch } = visit;
  const { clock, random } = branch.run.ports;
  const used = new Map<number, number>();
  for (;;) {
    try {
      const result = await attempt(visit);
      return await leave(visit, { ...state, fallback: result, states: { result } });
    } catch (error) {
      const failure = asFailure(error);
      if (failure instanceof Aborted) throw failure;
      noteEvaluation(visit, failure);
      const decision = decideRetry(state.retry, failure, used, () => random.fraction());
      if (!decision.retry) return failed(visit, failure);
      used.set(decision.retrier, (used.get(decision.retrier) ?? 0) + 1);
      visit.retryCount += 1;
      branch.run.execution.transitions += 1;
      await pause(clock, decision.delayMs, branch.signal);
    }
  }
}

function failed(visit: Visit<GuardedState>, failure: StateFailure): Promise<Step> {
  const { state, branch } = visit;
  if (state.type === "Map") note(branch, "MapStateFailed");
  if (state.type === "Parallel") note(branch, "ParallelStateFailed");
  const catcher = findCatcher(state.catch, failure);
  if (catcher === undefined) throw failure;
  const output = errorOutput(failure);
  return leave(visit, { ...catcher, fallback: output, states: { errorOutput: output } });
}
