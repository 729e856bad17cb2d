import { evaluate } from "./evaluate.ts";
import { assignedDetails, checkSize, outputDetails } from "./history.ts";
import type { Json, JsonObject } from "./json.ts";
import { frameOf, note, type Step, type Visit } from "./run.ts";

/** How a state is left: the Output and Assign templates that count, what `$states` holds besides, and where to go. */
export interface Leaving {
  readonly output: Json | undefined;
  readonly assign: JsonObject | undefined;
  readonly next: string | undefined;
  /** Output when the state has no Output field. */
  readonly fallback: Json;
  readonly states?: JsonObject;
}

/**
 * Leaves a state. Assign and Output are evaluated side by side: both see the variables as they were on entry.
 * @throws StateFailure States.QueryEvaluationError or States.DataLimitExceeded
 */
export async function leave(visit: Visit, leaving: Leaving): Promise<Step> {
  const { branch, state } = visit;
  const frame = frameOf(visit, { states: leaving.states ?? {} });
  const assigned: JsonObject = {};
  for (const [name, template] of Object.entries(leaving.assign ?? {})) {
    assigned[name] = await evaluate(template, `Assign/${name}`, frame);
  }
  const output = leaving.output === undefined ? leaving.fallback : await evaluate(leaving.output, "Output", frame);
  checkSize(assigned, state.name);
  checkSize(output, state.name);
  const variables = leaving.assign === undefined ? {} : assignedDetails(assigned);
  if (state.type !== "Fail") {
    const details = { name: state.name, ...variables, ...outputDetails(output) };
    note(branch, `${state.type}StateExited`, ["stateExitedEventDetails", details]);
  }
  branch.variables.assign(assigned);
  return { output, next: leaving.next };
}
