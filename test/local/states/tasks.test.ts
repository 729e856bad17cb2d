import { expect, test } from "vitest";
import { SdkError } from "../../../local/states/errors.ts";
import { Account, functionArn, handlerError, types } from "./account.ts";

const INVOKE = "arn:aws:states:::lambda:invoke";
const invoke = (name: string, payload: unknown, more: object = {}) => ({
  Type: "Task",
  Resource: INVOKE,
  Arguments: { FunctionName: functionArn(name), Payload: payload },
  End: true,
  ...more,
});

test("lambda:invoke gives the envelope, and its events show parameters and output", async () => {
  const account = new Account();
  account.functions.set("plan", ({ n }: { n: number }) => ({ double: n * 2 }));
  const result = await account.output({ Plan: invoke("plan", { n: "{% $states.input.n %}" }) }, { n: 4 });
  const envelope = {
    ExecutedVersion: "$LATEST",
    Payload: { double: 8 },
    SdkHttpMetadata: { AllHttpHeaders: {}, HttpHeaders: {}, HttpStatusCode: 200 },
    SdkResponseMetadata: { RequestId: "uuid-1" },
    StatusCode: 200,
  };
  expect(result).toEqual(envelope);
  const shown = { resource: "invoke", resourceType: "lambda" };
  const timestamp = new Date("2026-03-01T02:00:00.000Z");
  expect(account.history().slice(2, 5)).toEqual([
    {
      id: 3,
      previousEventId: 2,
      timestamp,
      type: "TaskScheduled",
      taskScheduledEventDetails: {
        ...shown,
        region: "eu-west-1",
        parameters: JSON.stringify({ FunctionName: functionArn("plan"), Payload: { n: 4 } }),
      },
    },
    { id: 4, previousEventId: 3, timestamp, type: "TaskStarted", taskStartedEventDetails: shown },
    {
      id: 5,
      previousEventId: 4,
      timestamp,
      type: "TaskSucceeded",
      taskSucceededEventDetails: { ...shown, output: JSON.stringify(envelope), outputDetails: { truncated: false } },
    },
  ]);
});

test("a function's ARN as Resource takes the input and gives the bare payload", async () => {
  const account = new Account();
  account.functions.set("plan", (input: unknown) => ({ got: input }));
  expect(await account.output({ Plan: { Type: "Task", Resource: functionArn("plan"), End: true } }, { a: 1 })).toEqual({
    got: { a: 1 },
  });
  expect(types(account.history()).slice(2, 5)).toEqual([
    "LambdaFunctionScheduled",
    "LambdaFunctionStarted",
    "LambdaFunctionSucceeded",
  ]);
});

test("a handler's error is named by its errorType and its document is the cause", async () => {
  const account = new Account();
  account.functions.set("plan", () => {
    throw handlerError("NoHosts", "nothing to patch");
  });
  const cause = '{"errorType":"NoHosts","errorMessage":"nothing to patch","trace":[]}';
  expect(await account.run({ Plan: invoke("plan", {}) })).toMatchObject({ status: "FAILED", error: "NoHosts", cause });
  expect(account.history().at(-2)).toMatchObject({
    type: "TaskFailed",
    taskFailedEventDetails: { error: "NoHosts", cause, resource: "invoke", resourceType: "lambda" },
  });
});

test("a function that is not there is Lambda.ResourceNotFoundException", async () => {
  expect(await new Account().run({ Plan: invoke("none", {}) })).toMatchObject({
    status: "FAILED",
    error: "Lambda.ResourceNotFoundException",
  });
});

test("SDK calls go through by service and action; their errors carry the Java client's prefix", async () => {
  const account = new Account();
  account.calls.set("ssm:sendCommand", ({ DocumentName }: { DocumentName: string }) => {
    if (DocumentName === "bad") throw new SdkError("InvalidDocument", "no such document");
    return { Command: { CommandId: "c-1", RequestedDateTime: new Date(0) } };
  });
  account.calls.set("sns:publish", () => {
    throw new SdkError("NotFoundException", "no such topic");
  });
  const send = (name: string, next: object) => ({
    Type: "Task",
    Resource: "arn:aws:states:::aws-sdk:ssm:sendCommand",
    Arguments: { DocumentName: name },
    ...next,
  });
  const output = await account.output({
    Good: send("good", { Assign: { good: "{% $states.result %}" }, Next: "Bad" }),
    Bad: send("bad", {
      End: true,
      Catch: [
        { ErrorEquals: ["Ssm.InvalidDocumentException"], Next: "Tell", Assign: { bad: "{% $states.errorOutput %}" } },
      ],
    }),
    Tell: {
      Type: "Task",
      Resource: "arn:aws:states:::sns:publish",
      Arguments: { TopicArn: "t", Message: "m" },
      End: true,
      Catch: [{ ErrorEquals: ["States.ALL"], Next: "End", Output: "{% [$good, $bad, $states.errorOutput] %}" }],
    },
    End: { Type: "Succeed" },
  });
  expect(output).toEqual([
    { Command: { CommandId: "c-1", RequestedDateTime: "1970-01-01T00:00:00.000Z" } },
    { Error: "Ssm.InvalidDocumentException", Cause: "no such document" },
    { Error: "SNS.NotFoundException", Cause: "no such topic" },
  ]);
});

test("sns:publish sends a Message of JSON as its text", async () => {
  const account = new Account();
  const sent: unknown[] = [];
  account.calls.set("sns:publish", (args: unknown) => {
    sent.push(args);
    return { MessageId: "m-1" };
  });
  const Arguments = { TopicArn: "t", Message: { hosts: "{% $states.input.n %}" } };
  const task = { Type: "Task", Resource: "arn:aws:states:::sns:publish", Arguments, End: true };
  expect(await account.output({ Tell: task }, { n: 3 })).toEqual({ MessageId: "m-1" });
  expect(sent).toEqual([{ TopicArn: "t", Message: '{"hosts":3}' }]);
});

test("a port that breaks is a States.Runtime failure that States.ALL does not hide", async () => {
  const account = new Account();
  const task = { Type: "Task", Resource: "arn:aws:states:::aws-sdk:ec2:stopInstances", Arguments: {}, End: true };
  const done = await account.run({
    T: { ...task, Retry: [{ ErrorEquals: ["States.ALL"] }], Catch: [{ ErrorEquals: ["States.ALL"], Next: "E" }] },
    E: { Type: "Succeed" },
  });
  expect(done).toMatchObject({ status: "FAILED", error: "States.Runtime", cause: "Error: no ec2:stopInstances here" });
});

test("Retry waits by interval, back-off and cap, counts in the context, and costs transitions", async () => {
  const account = new Account();
  const tries: [number, number][] = [];
  account.functions.set("flaky", ({ retry }: { retry: number }) => {
    tries.push([retry, account.clock.now().getTime() - Date.parse("2026-03-01T02:00:00Z")]);
    throw handlerError("Busy", "later");
  });
  const retry = { ErrorEquals: ["Busy"], IntervalSeconds: 3, BackoffRate: 4, MaxAttempts: 4, MaxDelaySeconds: 20 };
  const states = { T: invoke("flaky", { retry: "{% $states.context.State.RetryCount %}" }, { Retry: [retry] }) };
  const done = await account.run(states);
  expect({ error: done.error, tries }).toEqual({
    error: "Busy",
    tries: [
      [0, 0],
      [1, 3000],
      [2, 15000],
      [3, 35000],
      [4, 55000],
    ],
  });
  expect(account.machines.transitions(done.executionArn ?? "")).toBe(5);
});

test("full jitter takes a share of the delay; each retrier counts for itself", async () => {
  const account = new Account();
  account.fraction = 0.25;
  const errors = ["A", "B", "A", "B"];
  account.functions.set("flaky", () => {
    const name = errors.shift();
    if (name !== undefined) throw handlerError(name, "");
    return "done";
  });
  const one = (name: string, seconds: number) => ({
    ErrorEquals: [name],
    IntervalSeconds: seconds,
    MaxAttempts: 2,
    BackoffRate: 1,
    JitterStrategy: "FULL",
  });
  const done = await account.run({
    T: invoke("flaky", {}, { Retry: [one("A", 8), one("B", 40)], Output: "{% $states.result.Payload %}" }),
  });
  expect(done).toMatchObject({ output: '"done"', stopDate: new Date("2026-03-01T02:00:24.000Z") });
});

test("a failing Output is tried again and caught like the task itself", async () => {
  const account = new Account();
  let calls = 0;
  account.functions.set("count", () => ++calls);
  const task = invoke(
    "count",
    {},
    {
      Output: "{% $states.result.Payload = 2 ? 'two' : $nothing %}",
      Retry: [{ ErrorEquals: ["States.QueryEvaluationError"] }],
    },
  );
  expect(await account.output({ T: task })).toBe("two");
});

test("TimeoutSeconds, also from an expression, ends a task as States.Timeout and cancels the call", async () => {
  const account = new Account();
  let cancelled = false;
  account.functions.set("hang", (_: unknown, signal: AbortSignal) => {
    signal.addEventListener("abort", () => {
      cancelled = true;
    });
    return new Promise(() => undefined);
  });
  const task = invoke(
    "hang",
    {},
    {
      TimeoutSeconds: "{% $states.input.t %}",
      Catch: [
        { ErrorEquals: ["States.TaskFailed"], Next: "No" },
        { ErrorEquals: ["States.Timeout"], Next: "Yes" },
      ],
    },
  );
  const done = await account.run({ T: task, No: { Type: "Fail" }, Yes: { Type: "Succeed" } }, { t: 7 });
  expect(done).toMatchObject({
    output: '{"Error":"States.Timeout","Cause":""}',
    stopDate: new Date("2026-03-01T02:00:07.000Z"),
  });
  expect(cancelled).toBe(true);
  expect(account.history()[2]).toMatchObject({ taskScheduledEventDetails: { timeoutInSeconds: 7 } });
  expect(account.history()[4]).toEqual({
    id: 5,
    previousEventId: 4,
    timestamp: new Date("2026-03-01T02:00:07.000Z"),
    type: "TaskTimedOut",
    taskTimedOutEventDetails: { error: "States.Timeout", resource: "invoke", resourceType: "lambda" },
  });
});

test("a task whose fields do not evaluate is never scheduled, and the history says so once", async () => {
  const account = new Account();
  const done = await account.run({ T: invoke("plan", "{% $doesNotExist %}") });
  expect(done.cause).toBe(
    "An error occurred while executing the state 'T' (entered at the event id #2). The JSONata expression '$doesNotExist' specified for the field 'Arguments/Payload' returned nothing (undefined).",
  );
  expect(types(account.history())).toEqual([
    "ExecutionStarted",
    "TaskStateEntered",
    "EvaluationFailed",
    "ExecutionFailed",
  ]);
  const never = await new Account().run({ T: invoke("plan", {}, { TimeoutSeconds: "{% 0 %}" }) });
  expect(never.cause).toBe(
    "An error occurred while executing the state 'T' (entered at the event id #2). The field 'TimeoutSeconds' is 0; it must be a whole number of at least 1.",
  );
});

test("results over 256 KiB are States.DataLimitExceeded, which only its own name catches", async () => {
  const account = new Account();
  account.functions.set("big", () => "é".repeat(131_072));
  const caught = (name: string) => [{ ErrorEquals: [name], Next: "Caught" }];
  const states = (name: string) => ({ T: invoke("big", {}, { Catch: caught(name) }), Caught: { Type: "Succeed" } });
  const cause =
    "The state/task 'lambda' returned a result with a size exceeding the maximum number of bytes service limit.";
  expect(await account.run(states("States.ALL"))).toMatchObject({
    status: "FAILED",
    error: "States.DataLimitExceeded",
    cause,
  });
  const other = new Account();
  other.functions.set("big", () => "é".repeat(131_072));
  expect(await other.output(states("States.DataLimitExceeded"))).toEqual({
    Error: "States.DataLimitExceeded",
    Cause: cause,
  });
});

test("startExecution answers at once; .sync:2 waits and gives the parsed output", async () => {
  const account = new Account();
  const inner = account.register("Inner", {
    QueryLanguage: "JSONata",
    StartAt: "W",
    States: { W: { Type: "Wait", Seconds: 60, Output: { got: "{% $states.input %}" }, End: true } },
  });
  const start = (suffix: string, name: string) => ({
    Type: "Task",
    Resource: `arn:aws:states:::states:startExecution${suffix}`,
    Arguments: { StateMachineArn: inner, Name: name, Input: { a: 1 } },
  });
  const output = await account.output({
    Go: { ...start("", "x"), Assign: { go: "{% $states.result %}" }, Next: "Sync" },
    Sync: { ...start(".sync:2", "y"), Output: "{% [$go, $states.result] %}", End: true },
  });
  const arn = inner.replace("stateMachine", "execution");
  const began = Date.parse("2026-03-01T02:00:00Z");
  expect(output).toEqual([
    { ExecutionArn: `${arn}:x`, StartDate: began / 1000 },
    {
      ExecutionArn: `${arn}:y`,
      Input: { a: 1 },
      InputDetails: { Included: true },
      Name: "y",
      Output: { got: { a: 1 } },
      OutputDetails: { Included: true },
      StartDate: began,
      StateMachineArn: inner,
      Status: "SUCCEEDED",
      StopDate: began + 60_000,
    },
  ]);
  expect(types(account.history()).slice(6, 11)).toEqual([
    "TaskStateEntered",
    "TaskScheduled",
    "TaskStarted",
    "TaskSubmitted",
    "TaskSucceeded",
  ]);
});

test("a nested execution that fails is States.TaskFailed; one that was started twice is refused; a time-out stops it", async () => {
  const account = new Account();
  const definition = (states: object) => ({ QueryLanguage: "JSONata", StartAt: "S", States: states });
  const bad = account.register("Bad", definition({ S: { Type: "Fail", Error: "E", Cause: "c" } }));
  const slow = account.register("Slow", definition({ S: { Type: "Wait", Seconds: 99, End: true } }));
  const sync = (arn: string, name: string, next: string) => ({
    Type: "Task",
    Resource: "arn:aws:states:::states:startExecution.sync:2",
    TimeoutSeconds: 10,
    Arguments: { StateMachineArn: arn, Name: name },
    Next: next,
    Catch: [{ ErrorEquals: ["States.ALL"], Next: next, Assign: { [name]: "{% $states.errorOutput.Error %}" } }],
  });
  const output = await account.output({
    One: sync(bad, "one", "Two"),
    Two: {
      ...sync(bad, "one", "Three"),
      Catch: [{ ErrorEquals: ["States.ALL"], Next: "Three", Assign: { again: "{% $states.errorOutput.Error %}" } }],
    },
    Three: sync(slow, "three", "End"),
    End: { Type: "Succeed", Output: "{% [$one, $again, $three] %}" },
  });
  expect(output).toEqual(["States.TaskFailed", "StepFunctions.ExecutionAlreadyExistsException", "States.Timeout"]);
  const executionArn = `${slow.replace("stateMachine", "execution")}:three`;
  expect(account.machines.describeExecution({ executionArn }).status).toBe("ABORTED");
});
