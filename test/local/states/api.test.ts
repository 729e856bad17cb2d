import { expect, test } from "vitest";
import { StatesApiError } from "../../../local/states/errors.ts";
import type { HistoryNotice } from "../../../local/states/executions.ts";
import { Account, arnOf, ROLE, types } from "./account.ts";

const at = new Date("2026-03-01T02:00:00.000Z");
const definition = { QueryLanguage: "JSONata", StartAt: "W", States: { W: { Type: "Wait", Seconds: 60, End: true } } };
const executionArn = (name: string) => `arn:aws:states:eu-west-1:111122223333:execution:Machine:${name}`;

function refusal(call: () => unknown): string {
  try {
    call();
  } catch (error) {
    if (error instanceof StatesApiError) return `${error.code}: ${error.message}`;
    throw error;
  }
  return "accepted";
}

function waiting() {
  const account = new Account();
  const stateMachineArn = account.register("Machine", definition);
  const start = (name?: string, input?: string) => account.machines.startExecution({ stateMachineArn, name, input });
  return { account, machines: account.machines, stateMachineArn, start };
}

test("a name is idempotent with the same input while it runs, and taken afterwards", async () => {
  const { account, machines, start } = waiting();
  const first = start("one", '{"a":1}');
  expect(first).toEqual({ executionArn: executionArn("one"), startDate: at });
  await account.clock.pass(1000);
  expect(start("one", '{ "a": 1 }')).toEqual(first);
  const taken = `ExecutionAlreadyExists: Execution Already Exists: '${executionArn("one")}'`;
  expect(refusal(() => start("one", "{}"))).toBe(taken);
  await account.clock.until(machines.finished(first.executionArn));
  expect(refusal(() => start("one", '{"a":1}'))).toBe(taken);
  expect(types(account.history()).filter((type) => type === "ExecutionStarted")).toHaveLength(1);
});

test("what StartExecution refuses", () => {
  const { machines, start } = waiting();
  const none = arnOf("None");
  expect([
    refusal(() => machines.startExecution({ stateMachineArn: none })),
    refusal(() => start("a b")),
    refusal(() => start("x".repeat(81))),
    refusal(() => start("ok", "not json")).split(":")[0],
    refusal(() => start("ok", JSON.stringify("x".repeat(262_143)))).split(":")[0],
  ]).toEqual([
    `StateMachineDoesNotExist: State Machine Does Not Exist: '${none}'`,
    "InvalidName: Invalid Name: 'a b'",
    `InvalidName: Invalid Name: '${"x".repeat(81)}'`,
    "InvalidExecutionInput",
    "ValidationException",
  ]);
});

test("StopExecution ends what runs, at once and once", async () => {
  const { account, machines, start } = waiting();
  start("one");
  await account.clock.pass(5000);
  const stopDate = new Date("2026-03-01T02:00:05.000Z");
  expect(machines.stopExecution({ executionArn: executionArn("one"), error: "Halt", cause: "operator" })).toEqual({
    stopDate,
  });
  await account.clock.pass(100_000);
  expect(machines.stopExecution({ executionArn: executionArn("one") })).toEqual({ stopDate });
  expect(machines.describeExecution({ executionArn: executionArn("one") })).toEqual({
    executionArn: executionArn("one"),
    stateMachineArn: arnOf("Machine"),
    name: "one",
    status: "ABORTED",
    startDate: at,
    stopDate,
    input: "{}",
    inputDetails: { included: true },
    error: "Halt",
    cause: "operator",
    redriveCount: 0,
  });
  expect(account.history().at(-1)).toEqual({
    id: 3,
    previousEventId: 0,
    timestamp: stopDate,
    type: "ExecutionAborted",
    executionAbortedEventDetails: { error: "Halt", cause: "operator" },
  });
  expect(refusal(() => machines.stopExecution({ executionArn: "arn:none" }))).toBe(
    "ExecutionDoesNotExist: Execution Does Not Exist: 'arn:none'",
  );
});

test("an execution stopped between two events adds nothing after ExecutionAborted", async () => {
  const account = new Account();
  account.machines.onHistory(({ executionArn, event }) => {
    if (event.type === "PassStateEntered") account.machines.stopExecution({ executionArn });
  });
  const done = await account.run({ P: { Type: "Pass", Next: "Q" }, Q: { Type: "Pass", End: true } });
  await account.clock.settle();
  expect([done.status, types(account.history())]).toEqual([
    "ABORTED",
    ["ExecutionStarted", "PassStateEntered", "ExecutionAborted"],
  ]);
});

test("TimeoutSeconds of the machine ends the execution as TIMED_OUT and nothing follows", async () => {
  const account = new Account();
  const done = await account.run({ W: { Type: "Wait", Seconds: 60, End: true } }, {}, { TimeoutSeconds: 30 });
  expect({ status: done.status, error: done.error, stopDate: done.stopDate }).toEqual({
    status: "TIMED_OUT",
    error: undefined,
    stopDate: new Date("2026-03-01T02:00:30.000Z"),
  });
  await account.clock.pass(100_000);
  expect(types(account.history())).toEqual(["ExecutionStarted", "WaitStateEntered", "ExecutionTimedOut"]);
});

test("ListExecutions is newest first, filtered and paged; new executions shift no page", async () => {
  const { account, machines, stateMachineArn, start } = waiting();
  for (const name of ["a", "b", "c", "d"]) start(name);
  machines.stopExecution({ executionArn: executionArn("c") });
  const names = (list: { executions: { name?: string | undefined }[] }) => list.executions.map(({ name }) => name);
  const first = machines.listExecutions({ stateMachineArn, maxResults: 2 });
  start("e");
  const second = machines.listExecutions({ stateMachineArn, maxResults: 2, nextToken: first.nextToken });
  expect([names(first), names(second), second.nextToken]).toEqual([["d", "c"], ["b", "a"], undefined]);
  expect(names(machines.listExecutions({ stateMachineArn, statusFilter: "ABORTED" }))).toEqual(["c"]);
  await account.clock.settle();
  expect(refusal(() => machines.listExecutions({ stateMachineArn, nextToken: "x" }))).toBe(
    "InvalidToken: Invalid Token: 'Invalid token'",
  );
  expect(refusal(() => machines.listExecutions({ stateMachineArn, maxResults: 1001 })).split(":")[0]).toBe(
    "ValidationException",
  );
  expect(refusal(() => machines.listExecutions({}))).toBe(
    "ValidationException: ListExecutions takes one of stateMachineArn and mapRunArn",
  );
  expect(refusal(() => machines.listExecutions({ stateMachineArn: arnOf("None") })).split(":")[0]).toBe(
    "StateMachineDoesNotExist",
  );
});

test("GetExecutionHistory pages both ways", async () => {
  const { account, machines, start } = waiting();
  start("one");
  await account.clock.until(machines.finished(executionArn("one")));
  const read = (reverseOrder: boolean) => {
    const ids: number[][] = [];
    let nextToken: string | undefined;
    do {
      const part = machines.getExecutionHistory({
        executionArn: executionArn("one"),
        maxResults: 3,
        reverseOrder,
        nextToken,
      });
      ids.push(part.events.map(({ id }) => id));
      nextToken = part.nextToken;
    } while (nextToken !== undefined);
    return ids;
  };
  expect([read(false), read(true)]).toEqual([
    [[1, 2, 3], [4]],
    [[4, 3, 2], [1]],
  ]);
});

test("state machines are described with the text they were registered with, and registered once", () => {
  const { account, machines, stateMachineArn } = waiting();
  expect(machines.describeStateMachine({ stateMachineArn })).toEqual({
    stateMachineArn,
    name: "Machine",
    status: "ACTIVE",
    definition: JSON.stringify(definition),
    roleArn: ROLE,
    type: "STANDARD",
    creationDate: at,
  });
  expect(machines.listStateMachines()).toEqual({
    stateMachines: [{ stateMachineArn, name: "Machine", type: "STANDARD", creationDate: at }],
  });
  expect(refusal(() => account.register("Machine", definition))).toBe(
    `StateMachineAlreadyExists: State Machine Already Exists: '${stateMachineArn}'`,
  );
  expect(() => account.register("Other", { ...definition, Foo: 1 })).toThrow(
    /^Other: definition\.Foo: is a field this interpreter does not know$/,
  );
});

test("listeners hear every event with its execution, until they stop listening", async () => {
  const { account, machines, start } = waiting();
  const heard: HistoryNotice[] = [];
  const end = machines.onHistory((notice) => heard.push(notice));
  start("one");
  await account.clock.settle();
  end();
  await account.clock.pass(60_000);
  expect(heard.map(({ event, ...whose }) => ({ ...whose, type: event.type }))).toEqual(
    ["ExecutionStarted", "WaitStateEntered"].map((type) => ({
      executionArn: executionArn("one"),
      stateMachineArn: arnOf("Machine"),
      mapRunArn: undefined,
      type,
    })),
  );
});

test("an execution that fills its history fails with its 25,000th event, whatever it would catch", async () => {
  const account = new Account();
  account.functions.set("loop", () => null);
  const task = { Type: "Task", Resource: "arn:aws:lambda:eu-west-1:111122223333:function:loop", Next: "T" };
  const States = { T: { ...task, Catch: [{ ErrorEquals: ["States.ALL"], Next: "T" }] } };
  const done = await account.run(States);
  expect({ status: done.status, error: done.error, cause: done.cause }).toEqual({
    status: "FAILED",
    error: "States.Runtime",
    cause: "The execution reached the maximum number of history events (25000).",
  });
  const [last] = account.machines.getExecutionHistory({
    executionArn: executionArn("one"),
    reverseOrder: true,
    maxResults: 1,
  }).events;
  expect(last).toMatchObject({ id: 25_000, type: "ExecutionFailed" });
});

test("a state's output over 256 KiB fails the execution", async () => {
  const done = await new Account().run({ P: { Type: "Pass", Output: "{% $join([1..60000].('12345')) %}", End: true } });
  expect({ error: done.error, cause: done.cause }).toEqual({
    error: "States.DataLimitExceeded",
    cause: "The state/task 'P' returned a result with a size exceeding the maximum number of bytes service limit.",
  });
});
