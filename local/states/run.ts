import type { HistoryEventType } from "@aws-sdk/client-sfn";
import type { State } from "./definition.ts";
import { Aborted } from "./errors.ts";
import type { Frame } from "./evaluate.ts";
import type { ExecutionRecord } from "./execution-record.ts";
import type { Executions } from "./executions.ts";
import type { Json, JsonObject } from "./json.ts";
import type { StatesPorts } from "./ports.ts";
import type { TaskTokens } from "./task-tokens.ts";
import type { Variables } from "./variables.ts";

/** What all states of one running execution share. */
export interface Run {
  readonly ports: StatesPorts;
  readonly region: string;
  readonly tokens: TaskTokens;
  readonly execution: ExecutionRecord;
  readonly executions: Executions;
}

/** One thread of states: the machine itself, a Parallel branch, an iteration of an inline Map. */
export interface Branch {
  readonly run: Run;
  readonly variables: Variables;
  readonly signal: AbortSignal;
  /** `$states.context.Map` inside an inline Map. */
  readonly map: JsonObject | undefined;
  /** Id of the event that the next one follows. */
  previous: number;
  /** The state this thread is in, undefined before its first and after its last. */
  current: State | undefined;
}

/** One stay of a branch in a state. */
export interface Visit<S extends State = State> {
  readonly branch: Branch;
  readonly state: S;
  readonly input: Json;
  readonly enteredEventId: number;
  readonly enteredTime: string;
  retryCount: number;
}

/** Where a state leads: `next` undefined ends the branch with `output`. */
export interface Step {
  readonly output: Json;
  readonly next: string | undefined;
}

/**
 * Records an event and moves the branch on to it, unless `aside` (events that AWS does not chain others to).
 * @throws Aborted when the branch has been stopped: nothing more may appear in its history.
 */
export function note(
  branch: Branch,
  type: HistoryEventType,
  details?: readonly [string, unknown],
  aside = false,
): number {
  if (branch.signal.aborted) throw new Aborted();
  const id = branch.run.execution.history.record(type, branch.previous, details);
  if (!aside) branch.previous = id;
  return id;
}

/** What expressions of this visit see; `extra` adds to `$states` or, under `context`, to the context object. */
export function frameOf(visit: Visit, extra: { states?: JsonObject; context?: JsonObject } = {}): Frame {
  const { branch, state, input } = visit;
  const { execution, ports } = branch.run;
  const context: JsonObject = {
    Execution: {
      Id: execution.arn,
      Input: execution.input,
      Name: execution.name,
      RoleArn: execution.roleArn,
      StartTime: execution.startDate.toISOString(),
      RedriveCount: 0,
    },
    StateMachine: { Id: execution.stateMachineArn, Name: execution.stateMachineName },
    State: { Name: state.name, EnteredTime: visit.enteredTime, RetryCount: visit.retryCount },
    ...(branch.map === undefined ? {} : { Map: branch.map }),
    ...extra.context,
  };
  return {
    ports,
    stateName: state.name,
    enteredEventId: visit.enteredEventId,
    variables: branch.variables.visible(),
    states: { input, context, ...extra.states },
  };
}
