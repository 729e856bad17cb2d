import type { TaskState } from "./definition.ts";
import { SdkError, StateFailure, StatesApiError, sdkErrorName } from "./errors.ts";
import { outputDetails } from "./history.ts";
import { asJson, isJsonObject, type Json } from "./json.ts";
import { stringField } from "./map-items.ts";
import { note, type Visit } from "./run.ts";
import type { Attempt } from "./run-task.ts";
import { startNested } from "./task-nested.ts";
import { unlessAborted } from "./waiting.ts";

/**
 * Does what a task's Resource asks and gives its result. With a token the answer comes from SendTaskSuccess, however early;
 * the call itself then only has to be accepted. @throws StateFailure, Aborted
 */
export async function callTask(visit: Visit<TaskState>, attempt: Attempt, signal: AbortSignal): Promise<Json> {
  const { branch } = visit;
  if (attempt.token === undefined) return call(visit, attempt.args, signal);
  const answer = branch.run.tokens.open(attempt.token, attempt.heartbeatMs, signal);
  answer.catch(() => undefined);
  const submitted = call(visit, attempt.args, signal).then((output) => {
    if (!signal.aborted) noteSubmitted(visit, output);
    return answer;
  });
  return Promise.race([answer, submitted]);
}

/** Records that the call was accepted and its end is now waited for. */
export function noteSubmitted(visit: Visit<TaskState>, output: Json): void {
  const { resource } = visit.state;
  if (resource.kind === "function") return;
  const shown = { resource: resource.resource, resourceType: resource.resourceType };
  note(visit.branch, "TaskSubmitted", ["taskSubmittedEventDetails", { ...shown, ...outputDetails(output) }]);
}

async function call(visit: Visit<TaskState>, args: Json, signal: AbortSignal): Promise<Json> {
  const { resource } = visit.state;
  const { ports } = visit.branch.run;
  try {
    switch (resource.kind) {
      case "function":
        return await invoke(visit, resource.arn, args, signal);
      case "invoke":
        return await invokeWithEnvelope(visit, args, signal);
      case "startExecution":
        return await startNested(visit, resource.sync, args, signal);
      case "sdk":
        return asJson(
          await unlessAborted(
            ports.sdk(resource.service, resource.action, sdkArguments(resource.resourceType, args), signal),
            signal,
          ),
        );
    }
  } catch (error) {
    if (error instanceof StatesApiError)
      throw new StateFailure(sdkErrorName("StepFunctions", error.code), error.message);
    if (!(error instanceof SdkError)) throw error;
    const prefix = resource.kind === "sdk" ? resource.errorPrefix : "Lambda";
    throw new StateFailure(sdkErrorName(prefix, error.code), error.message);
  }
}

/** The optimised sns:publish takes a Message of any JSON and sends its text; the SDK's own takes text only. */
function sdkArguments(resourceType: string, args: Json): Json {
  if (resourceType !== "sns" || !isJsonObject(args) || args.Message === undefined) return args;
  return { ...args, Message: typeof args.Message === "string" ? args.Message : JSON.stringify(args.Message) };
}

async function invoke(visit: Visit<TaskState>, functionArn: string, payload: Json, signal: AbortSignal): Promise<Json> {
  const answer = await unlessAborted(visit.branch.run.ports.invoke(functionArn, payload, signal), signal);
  if ("functionError" in answer) {
    const { functionError } = answer;
    throw new StateFailure(functionError.errorType, JSON.stringify(functionError));
  }
  // A handler that returns nothing answers the JSON text null.
  return asJson(answer.payload ?? null);
}

async function invokeWithEnvelope(visit: Visit<TaskState>, args: Json, signal: AbortSignal): Promise<Json> {
  const functionName = stringField(args, "FunctionName");
  if (functionName === undefined) throw new StateFailure("States.Runtime", "Arguments/FunctionName is not a string.");
  const payload = await invoke(visit, functionName, isJsonObject(args) ? (args.Payload ?? {}) : {}, signal);
  return {
    ExecutedVersion: "$LATEST",
    Payload: payload,
    SdkHttpMetadata: { AllHttpHeaders: {}, HttpHeaders: {}, HttpStatusCode: 200 },
    SdkResponseMetadata: { RequestId: visit.branch.run.ports.random.uuid() },
    StatusCode: 200,
  };
}
