import type { Definition, State, StateSequence } from "./definition.ts";
import { StateFailure } from "./errors.ts";
import { asFailure, noteEvaluation } from "./failing.ts";
import { inputDetails } from "./history.ts";
import type { Json } from "./json.ts";
import { type Branch, note, type Step, type Visit } from "./run.ts";
import { runChoice, runFail, runPass, runSucceed, runWait } from "./run-flow.ts";
import { runGuarded } from "./run-guarded.ts";
import { attemptMap } from "./run-map.ts";
import { attemptParallel } from "./run-parallel.ts";
import { attemptTask } from "./run-task.ts";

/**
 * Runs states from the start to an end and gives the last output.
 * @throws StateFailure when a state failed and nothing caught it, Aborted when the branch was stopped.
 */
export async function runSequence(sequence: StateSequence | Definition, input: Json, branch: Branch): Promise<Json> {
  let name: string | undefined = sequence.startAt;
  let value = input;
  while (name !== undefined) {
    const state = sequence.states.get(name);
    if (state === undefined) throw new StateFailure("States.Runtime", `There is no state ${name}.`);
    branch.current = state;
    const step: Step = await enter(state, value, branch);
    value = step.output;
    name = step.next;
  }
  branch.current = undefined;
  return value;
}

async function enter(state: State, input: Json, branch: Branch): Promise<Step> {
  branch.run.execution.transitions += 1;
  await branch.run.ports.pace?.transition();
  const details = { name: state.name, ...inputDetails(input) };
  const enteredEventId = note(branch, `${state.type}StateEntered`, ["stateEnteredEventDetails", details]);
  const enteredTime = branch.run.ports.clock.now().toISOString();
  const visit: Visit = { branch, state, input, enteredEventId, enteredTime, retryCount: 0 };
  try {
    return await dispatch(visit);
  } catch (error) {
    const failure = asFailure(error);
    noteEvaluation(visit, failure);
    throw failure;
  }
}

function dispatch(visit: Visit): Promise<Step> {
  const { state } = visit;
  switch (state.type) {
    case "Pass":
      return runPass({ ...visit, state });
    case "Wait":
      return runWait({ ...visit, state });
    case "Succeed":
      return runSucceed({ ...visit, state });
    case "Fail":
      return runFail({ ...visit, state });
    case "Choice":
      return runChoice({ ...visit, state });
    case "Task":
      return runGuarded({ ...visit, state }, attemptTask);
    case "Parallel":
      return runGuarded({ ...visit, state }, attemptParallel);
    case "Map":
      return runGuarded({ ...visit, state }, attemptMap);
  }
}
