import { Aborted, StateFailure } from "./errors.ts";
import { failureDetails } from "./history.ts";
import { note, type Visit } from "./run.ts";

/** What went wrong, as a failure of the state. An error of the interpreter or a port becomes a loud States.Runtime. */
export function asFailure(error: unknown): StateFailure | Aborted {
  if (error instanceof Aborted || error instanceof StateFailure) return error;
  const said = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  return new StateFailure("States.Runtime", said);
}

/** Puts a failed evaluation in the history, once however far the failure travels. */
export function noteEvaluation(visit: Visit, failure: StateFailure | Aborted): void {
  if (failure instanceof Aborted || failure.location === undefined || failure.noted) return;
  failure.noted = true;
  const details = { ...failureDetails(failure), location: failure.location, state: visit.state.name };
  note(visit.branch, "EvaluationFailed", ["evaluationFailedEventDetails", details]);
}
