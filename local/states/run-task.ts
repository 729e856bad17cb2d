import type { TaskState } from "./definition.ts";
import { Aborted, StateFailure } from "./errors.ts";
import { evaluate, evaluateNumber } from "./evaluate.ts";
import { asFailure } from "./failing.ts";
import { checkSize, failureDetails, inputDetails, outputDetails } from "./history.ts";
import type { Json } from "./json.ts";
import { frameOf, note, type Visit } from "./run.ts";
import { callTask } from "./task-calls.ts";
import { within } from "./waiting.ts";

/** The resolved parameters of one attempt; times in milliseconds. */
export interface Attempt {
  readonly args: Json;
  readonly token: string | undefined;
  readonly timeoutMs: number | undefined;
  readonly heartbeatMs: number | undefined;
}

/** Makes one attempt of a task: scheduled, started, then succeeded, failed or timed out. @throws StateFailure, Aborted */
export async function attemptTask(visit: Visit<TaskState>): Promise<Json> {
  const { branch, state } = visit;
  const attempt = await prepare(visit);
  scheduled(visit, attempt);
  try {
    const timeout = () => new StateFailure("States.Timeout", null);
    const result = await within(branch.run.ports.clock, attempt.timeoutMs, branch.signal, timeout, (signal) =>
      callTask(visit, attempt, signal),
    );
    checkSize(
      result,
      state.resource.kind === "function" ? state.resource.arn : state.resource.resourceType.replace(/^.*:/, ""),
    );
    ended(visit, "Succeeded", outputDetails(result));
    return result;
  } catch (error) {
    const failure = asFailure(error);
    if (failure instanceof Aborted) throw failure;
    ended(visit, failure.error === "States.Timeout" ? "TimedOut" : "Failed", failureDetails(failure));
    throw failure;
  }
}

async function prepare(visit: Visit<TaskState>): Promise<Attempt> {
  const { branch, state, input } = visit;
  const token =
    state.resource.kind !== "function" && state.resource.token ? issueToken(branch.run.ports.random.uuid()) : undefined;
  const frame = frameOf(visit, token === undefined ? {} : { context: { Task: { Token: token } } });
  const args = state.arguments === undefined ? input : await evaluate(state.arguments, "Arguments", frame);
  checkSize(args, state.name);
  const seconds = async (value: number | string | undefined, field: string) =>
    value === undefined ? undefined : (await evaluateNumber(value, field, frame, { min: 1 })) * 1000;
  const timeoutMs = await seconds(state.timeoutSeconds, "TimeoutSeconds");
  return { args, token, timeoutMs, heartbeatMs: await seconds(state.heartbeatSeconds, "HeartbeatSeconds") };
}

/** Opaque, as AWS's are: nobody should read anything out of a token. */
function issueToken(id: string): string {
  return Buffer.from(`task:${id}`, "utf8").toString("base64url");
}

function scheduled(visit: Visit<TaskState>, attempt: Attempt): void {
  const { branch, state } = visit;
  const { resource } = state;
  const times = {
    ...(attempt.timeoutMs === undefined ? {} : { timeoutInSeconds: attempt.timeoutMs / 1000 }),
    ...(attempt.heartbeatMs === undefined ? {} : { heartbeatInSeconds: attempt.heartbeatMs / 1000 }),
  };
  if (resource.kind === "function") {
    const details = { resource: resource.arn, ...inputDetails(attempt.args), ...times };
    note(branch, "LambdaFunctionScheduled", ["lambdaFunctionScheduledEventDetails", details]);
    note(branch, "LambdaFunctionStarted");
    return;
  }
  const shown = { resource: resource.resource, resourceType: resource.resourceType };
  const details = { parameters: JSON.stringify(attempt.args), region: branch.run.region, ...shown, ...times };
  note(branch, "TaskScheduled", ["taskScheduledEventDetails", details]);
  note(branch, "TaskStarted", ["taskStartedEventDetails", shown]);
}

function ended(visit: Visit<TaskState>, how: "Succeeded" | "Failed" | "TimedOut", details: object): void {
  const { resource } = visit.state;
  if (resource.kind === "function") {
    note(visit.branch, `LambdaFunction${how}`, [`lambdaFunction${how}EventDetails`, details]);
    return;
  }
  const shown = { resource: resource.resource, resourceType: resource.resourceType };
  note(visit.branch, `Task${how}`, [`task${how}EventDetails`, { ...shown, ...details }]);
}
