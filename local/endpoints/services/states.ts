import { z } from "zod";
import { on, operation, requireAccess } from "../protocol/call.ts";
import type { Caller, Service } from "../protocol/request.ts";

type Optional<T> = T | undefined;
interface Page {
  readonly maxResults?: Optional<number>;
  readonly nextToken?: Optional<string>;
}
const STATUSES = ["RUNNING", "SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED", "PENDING_REDRIVE"] as const;

/** The calls of Step Functions as an interpreter offers them: in and out as in the SDK, refusals as errors with a `code`. */
export interface StatesApi {
  startExecution(request: { stateMachineArn: string; name?: Optional<string>; input?: Optional<string> }): unknown;
  stopExecution(request: { executionArn: string; error?: Optional<string>; cause?: Optional<string> }): unknown;
  describeExecution(request: { executionArn: string }): unknown;
  listExecutions(
    request: Page & {
      stateMachineArn?: Optional<string>;
      mapRunArn?: Optional<string>;
      statusFilter?: Optional<(typeof STATUSES)[number]>;
    },
  ): unknown;
  getExecutionHistory(request: Page & { executionArn: string; reverseOrder?: Optional<boolean> }): unknown;
  describeStateMachine(request: { stateMachineArn: string }): unknown;
  listStateMachines(request: Page): {
    readonly stateMachines: readonly { readonly stateMachineArn?: Optional<string> }[];
  };
  describeMapRun(request: { mapRunArn: string }): unknown;
  listMapRuns(request: Page & { executionArn: string }): unknown;
  sendTaskSuccess(request: { taskToken: string; output: string }): unknown;
  sendTaskFailure(request: { taskToken: string; error?: Optional<string>; cause?: Optional<string> }): unknown;
  sendTaskHeartbeat(request: { taskToken: string }): unknown;
}

const text = z.string();
const page = { maxResults: z.number().optional(), nextToken: text.optional() };
/** The ARN in an input, whichever of its fields holds it. */
const Arns = z.object({ stateMachineArn: text.optional(), executionArn: text.optional(), mapRunArn: text.optional() });

/** Step Functions over an interpreter. */
export function statesService(api: StatesApi): Service {
  return {
    name: "states",
    access: (name, input) => {
      // Which state machine waits is in the token alone: see mayAnswerTasks.
      if (name.startsWith("SendTask")) return [];
      const { stateMachineArn, executionArn, mapRunArn } = Arns.parse(input);
      return [on(`states:${name}`, stateMachineArn ?? executionArn ?? mapRunArn ?? "*")];
    },
    operations: {
      StartExecution: operation(
        z.strictObject({ stateMachineArn: text, name: text.optional(), input: text.optional() }),
        (request) => api.startExecution(request),
      ),
      StopExecution: operation(
        z.strictObject({ executionArn: text, error: text.optional(), cause: text.optional() }),
        (request) => api.stopExecution(request),
      ),
      DescribeExecution: operation(z.strictObject({ executionArn: text }), (request) => api.describeExecution(request)),
      ListExecutions: operation(
        z.strictObject({
          stateMachineArn: text.optional(),
          mapRunArn: text.optional(),
          statusFilter: z.enum(STATUSES).optional(),
          ...page,
        }),
        (request) => api.listExecutions(request),
      ),
      GetExecutionHistory: operation(
        z.strictObject({
          executionArn: text,
          reverseOrder: z.boolean().optional(),
          // Data is always there: leaving it out would be a second form of every event.
          includeExecutionData: z.literal(true).optional(),
          ...page,
        }),
        ({ includeExecutionData: _always, ...request }) => api.getExecutionHistory(request),
      ),
      DescribeStateMachine: operation(z.strictObject({ stateMachineArn: text }), (request) =>
        api.describeStateMachine(request),
      ),
      ListStateMachines: operation(z.strictObject(page), (request) => api.listStateMachines(request)),
      DescribeMapRun: operation(z.strictObject({ mapRunArn: text }), (request) => api.describeMapRun(request)),
      ListMapRuns: operation(z.strictObject({ executionArn: text, ...page }), (request) => api.listMapRuns(request)),
      SendTaskSuccess: operation(z.strictObject({ taskToken: text, output: text }), (request, caller) => {
        mayAnswerTasks(api, caller, "states:SendTaskSuccess");
        return api.sendTaskSuccess(request);
      }),
      SendTaskFailure: operation(
        z.strictObject({ taskToken: text, error: text.optional(), cause: text.optional() }),
        (request, caller) => {
          mayAnswerTasks(api, caller, "states:SendTaskFailure");
          return api.sendTaskFailure(request);
        },
      ),
      SendTaskHeartbeat: operation(z.strictObject({ taskToken: text }), (request, caller) => {
        mayAnswerTasks(api, caller, "states:SendTaskHeartbeat");
        return api.sendTaskHeartbeat(request);
      }),
    },
  };
}

/**
 * A token does not say here which state machine waits for it, so it is enough that the caller may answer for one of them.
 * @throws AwsError AccessDeniedException
 */
function mayAnswerTasks(api: StatesApi, caller: Caller, action: string): void {
  const arns = api.listStateMachines({ maxResults: 1000 }).stateMachines.map((one) => one.stateMachineArn ?? "*");
  if (!arns.some((arn) => caller.allows(on(action, arn))))
    requireAccess(caller, on(action, "*"), "AccessDeniedException");
}
