import { expect, test } from "vitest";
import { StatesApiError } from "../../../local/states/errors.ts";
import { Account, functionArn, types } from "./account.ts";

const waiting = (more: object = {}) => ({
  Await: {
    Type: "Task",
    Resource: "arn:aws:states:::lambda:invoke.waitForTaskToken",
    Arguments: { FunctionName: functionArn("keep"), Payload: { token: "{% $states.context.Task.Token %}" } },
    End: true,
    ...more,
  },
});

/** An execution that waits on a token; `token` is what its function was given. */
async function waitingExecution(more: object = {}) {
  const account = new Account();
  let token = "";
  account.functions.set("keep", (payload: { token: string }) => {
    token = payload.token;
    return "kept";
  });
  const stateMachineArn = account.register("Machine", {
    QueryLanguage: "JSONata",
    StartAt: "Await",
    States: waiting(more),
  });
  const { executionArn } = account.machines.startExecution({ stateMachineArn, name: "one" });
  await account.clock.settle();
  return { account, token, done: account.machines.finished(executionArn), executionArn, machines: account.machines };
}

const refusal = (call: () => void) => {
  try {
    call();
  } catch (error) {
    if (error instanceof StatesApiError) return error.code;
    throw error;
  }
  return "accepted";
};

test("SendTaskSuccess gives the task's result, once", async () => {
  const { account, token, done, machines } = await waitingExecution();
  await account.clock.pass(3_600_000);
  machines.sendTaskSuccess({ taskToken: token, output: '{"ok":true}' });
  expect(await done).toMatchObject({ status: "SUCCEEDED", output: '{"ok":true}' });
  expect(types(account.history())).toEqual([
    "ExecutionStarted",
    "TaskStateEntered",
    "TaskScheduled",
    "TaskStarted",
    "TaskSubmitted",
    "TaskSucceeded",
    "TaskStateExited",
    "ExecutionSucceeded",
  ]);
  expect(account.history()[4]).toMatchObject({
    taskSubmittedEventDetails: { resource: "invoke.waitForTaskToken", resourceType: "lambda" },
  });
  expect(refusal(() => machines.sendTaskSuccess({ taskToken: token, output: "{}" }))).toBe("TaskTimedOut");
  expect(refusal(() => machines.sendTaskHeartbeat({ taskToken: token }))).toBe("TaskTimedOut");
});

test("SendTaskFailure fails the task with its error and cause", async () => {
  const { token, done, machines } = await waitingExecution();
  machines.sendTaskFailure({ taskToken: token, error: "Rejected", cause: "not tonight" });
  expect(await done).toMatchObject({ status: "FAILED", error: "Rejected", cause: "not tonight" });
});

test("unknown tokens, output that is no JSON or too long are refused and leave the task waiting", async () => {
  const { token, done, machines } = await waitingExecution();
  const long = JSON.stringify("x".repeat(262_143));
  expect([
    refusal(() => machines.sendTaskSuccess({ taskToken: "other", output: "{}" })),
    refusal(() => machines.sendTaskFailure({ taskToken: "other" })),
    refusal(() => machines.sendTaskSuccess({ taskToken: token, output: "{" })),
    refusal(() => machines.sendTaskSuccess({ taskToken: token, output: long })),
  ]).toEqual(["InvalidToken", "InvalidToken", "InvalidOutput", "ValidationException"]);
  machines.sendTaskSuccess({ taskToken: token, output: "1" });
  expect((await done).output).toBe("1");
});

test("heartbeats keep a task alive, silence ends it, and TimeoutSeconds ends it all the same", async () => {
  const silent = await waitingExecution({ HeartbeatSeconds: 30, TimeoutSeconds: 100 });
  await silent.account.clock.pass(29_000);
  silent.machines.sendTaskHeartbeat({ taskToken: silent.token });
  const ended = await silent.account.clock.until(silent.done);
  expect(ended).toMatchObject({
    status: "FAILED",
    error: "States.Timeout",
    stopDate: new Date("2026-03-01T02:00:59.000Z"),
  });
  expect(silent.account.history()[2]).toMatchObject({
    taskScheduledEventDetails: { heartbeatInSeconds: 30, timeoutInSeconds: 100 },
  });

  const busy = await waitingExecution({ HeartbeatSeconds: 30, TimeoutSeconds: 100 });
  for (let beats = 0; beats < 5; beats += 1) {
    await busy.account.clock.pass(20_000);
    if (beats < 4) busy.machines.sendTaskHeartbeat({ taskToken: busy.token });
  }
  expect(await busy.done).toMatchObject({ error: "States.Timeout", stopDate: new Date("2026-03-01T02:01:40.000Z") });
  expect(refusal(() => busy.machines.sendTaskSuccess({ taskToken: busy.token, output: "1" }))).toBe("TaskTimedOut");
});

test.each([
  [["States.HeartbeatTimeout"], "caught"],
  [["States.Timeout"], "caught"],
  [["States.TaskFailed"], undefined],
])("a missed heartbeat and Catch %j", async (names, expected) => {
  const account = new Account();
  account.functions.set("keep", () => null);
  const guarded = waiting({ HeartbeatSeconds: 5, Catch: [{ ErrorEquals: names, Next: "Caught" }] });
  const done = await account.run({ ...guarded, Caught: { Type: "Succeed", Output: "caught" } });
  expect({ output: done.output, stopDate: done.stopDate }).toEqual({
    output: expected === undefined ? undefined : JSON.stringify(expected),
    stopDate: new Date("2026-03-01T02:00:05.000Z"),
  });
});

test("an answer that comes before the call has returned is the task's result", async () => {
  const account = new Account();
  account.functions.set("keep", ({ token }: { token: string }) => {
    account.machines.sendTaskSuccess({ taskToken: token, output: '"early"' });
    return new Promise(() => undefined);
  });
  expect(await account.output(waiting())).toBe("early");
});

test("a call that returns after its token was answered leaves no trace in later states", async () => {
  const account = new Account();
  account.functions.set("keep", async ({ token }: { token: string }) => {
    account.machines.sendTaskSuccess({ taskToken: token, output: '"early"' });
    await account.clock.sleep(5000, new AbortController().signal);
  });
  await account.run({
    ...waiting({ End: undefined, Next: "Bake" }),
    Bake: { Type: "Wait", Seconds: 10, End: true },
  });
  expect(types(account.history()).slice(2)).toEqual([
    "TaskScheduled",
    "TaskStarted",
    "TaskSucceeded",
    "TaskStateExited",
    "WaitStateEntered",
    "WaitStateExited",
    "ExecutionSucceeded",
  ]);
});

test("a call that is not accepted fails the task without waiting, and its token is closed", async () => {
  const account = new Account();
  const done = await account.run(waiting());
  expect(done).toMatchObject({
    error: "Lambda.ResourceNotFoundException",
    stopDate: new Date("2026-03-01T02:00:00.000Z"),
  });
});

test("StopExecution closes the tokens of what it stops", async () => {
  const { token, done, machines, executionArn, account } = await waitingExecution();
  machines.stopExecution({ executionArn, error: "Stopped", cause: "by hand" });
  expect(await done).toMatchObject({ status: "ABORTED", error: "Stopped", cause: "by hand" });
  await account.clock.settle();
  expect(refusal(() => machines.sendTaskSuccess({ taskToken: token, output: "1" }))).toBe("TaskTimedOut");
  expect(types(account.history()).slice(-2)).toEqual(["TaskSubmitted", "ExecutionAborted"]);
});
