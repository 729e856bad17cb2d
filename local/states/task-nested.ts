import type { TaskState } from "./definition.ts";
import { StateFailure } from "./errors.ts";
import type { ExecutionRecord } from "./execution-record.ts";
import { isJsonObject, type Json, type JsonObject } from "./json.ts";
import { stringField } from "./map-items.ts";
import type { Visit } from "./run.ts";
import { noteSubmitted } from "./task-calls.ts";
import { unlessAborted } from "./waiting.ts";

/**
 * Starts another execution. With `sync` it is waited for and its end is the result, Input and Output parsed (`.sync:2`);
 * a failed one is States.TaskFailed with the whole description as cause. It is stopped when the waiting ends early.
 * @throws StatesApiError as StartExecution, StateFailure, Aborted
 */
export async function startNested(
  visit: Visit<TaskState>,
  sync: boolean,
  args: Json,
  signal: AbortSignal,
): Promise<Json> {
  const { executions } = visit.branch.run;
  const machine = stringField(args, "StateMachineArn");
  if (machine === undefined) throw new StateFailure("States.Runtime", "Arguments/StateMachineArn is not a string.");
  const given = isJsonObject(args) ? args.Input : undefined;
  const input = given === undefined ? "{}" : typeof given === "string" ? given : JSON.stringify(given);
  const child = executions.start(machine, stringField(args, "Name"), input);
  const started: Json = { ExecutionArn: child.arn, StartDate: child.startDate.getTime() / 1000 };
  if (!sync) return started;
  noteSubmitted(visit, started);
  try {
    await unlessAborted(child.finished, signal);
  } finally {
    if (child.status === "RUNNING") executions.stop(child.arn, undefined, undefined);
  }
  if (child.status !== "SUCCEEDED") {
    throw new StateFailure("States.TaskFailed", JSON.stringify(describe(child, (value) => JSON.stringify(value))));
  }
  return describe(child, (value) => value);
}

function describe(child: ExecutionRecord, shown: (value: Json) => Json): JsonObject {
  return {
    ...(child.cause === undefined ? {} : { Cause: child.cause }),
    ...(child.error === undefined ? {} : { Error: child.error }),
    ExecutionArn: child.arn,
    Input: shown(child.input),
    InputDetails: { Included: true },
    Name: child.name,
    ...(child.output === undefined ? {} : { Output: shown(child.output), OutputDetails: { Included: true } }),
    StartDate: child.startDate.getTime(),
    StateMachineArn: child.stateMachineArn,
    Status: child.status,
    StopDate: child.stopDate?.getTime() ?? null,
  };
}
