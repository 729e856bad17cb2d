import { expect, test } from "vitest";
import { Account, ROLE } from "./account.ts";

const at = new Date("2026-03-01T02:00:00.000Z");

test("the history of a passing machine is AWS's, event by event", async () => {
  const account = new Account();
  await account.run(
    {
      First: {
        Type: "Pass",
        Assign: { wave: "{% $states.input.n + 1 %}" },
        Output: { seen: "{% $states.input.n %}" },
        Next: "Last",
      },
      Last: { Type: "Succeed", Output: "{% [$wave, $states.input.seen] %}" },
    },
    { n: 4 },
  );
  const untruncated = { truncated: false };
  expect(account.history()).toEqual([
    {
      id: 1,
      previousEventId: 0,
      timestamp: at,
      type: "ExecutionStarted",
      executionStartedEventDetails: { input: '{"n":4}', inputDetails: untruncated, roleArn: ROLE },
    },
    {
      id: 2,
      previousEventId: 0,
      timestamp: at,
      type: "PassStateEntered",
      stateEnteredEventDetails: { name: "First", input: '{"n":4}', inputDetails: untruncated },
    },
    {
      id: 3,
      previousEventId: 2,
      timestamp: at,
      type: "PassStateExited",
      stateExitedEventDetails: {
        name: "First",
        output: '{"seen":4}',
        outputDetails: untruncated,
        assignedVariables: { wave: "5" },
        assignedVariablesDetails: untruncated,
      },
    },
    {
      id: 4,
      previousEventId: 3,
      timestamp: at,
      type: "SucceedStateEntered",
      stateEnteredEventDetails: { name: "Last", input: '{"seen":4}', inputDetails: untruncated },
    },
    {
      id: 5,
      previousEventId: 4,
      timestamp: at,
      type: "SucceedStateExited",
      stateExitedEventDetails: { name: "Last", output: "[5,4]", outputDetails: untruncated },
    },
    {
      id: 6,
      previousEventId: 5,
      timestamp: at,
      type: "ExecutionSucceeded",
      executionSucceededEventDetails: { output: "[5,4]", outputDetails: untruncated },
    },
  ]);
});

test("Assign and Output both see the variables as they were on entry", async () => {
  const output = await new Account().output({
    Set: { Type: "Pass", Assign: { x: 1, y: 2 }, Next: "Swap" },
    Swap: { Type: "Pass", Assign: { x: "{% $y %}", y: "{% $x %}" }, Output: "{% [$x, $y] %}", Next: "Show" },
    Show: { Type: "Pass", Output: { before: "{% $states.input %}", after: "{% [$x, $y] %}" }, End: true },
  });
  expect(output).toEqual({ before: [1, 2], after: [2, 1] });
});

test("the context object", async () => {
  const output = await new Account().output(
    { Look: { Type: "Pass", Output: "{% $states.context %}", End: true } },
    { a: 1 },
  );
  expect(output).toEqual({
    Execution: {
      Id: "arn:aws:states:eu-west-1:111122223333:execution:Machine:one",
      Input: { a: 1 },
      Name: "one",
      RoleArn: ROLE,
      StartTime: "2026-03-01T02:00:00.000Z",
      RedriveCount: 0,
    },
    StateMachine: { Id: "arn:aws:states:eu-west-1:111122223333:stateMachine:Machine", Name: "Machine" },
    State: { Name: "Look", EnteredTime: "2026-03-01T02:00:00.000Z", RetryCount: 0 },
  });
});

const choice = {
  Ask: {
    Type: "Choice",
    Choices: [
      { Condition: "{% $states.input.n > 10 %}", Next: "End", Output: "many", Assign: { how: "rule 0" } },
      { Condition: "{% $states.input.n > 5 %}", Next: "End", Assign: { how: "rule 1" } },
    ],
    Default: "End",
    Output: "few",
    Assign: { how: "default" },
  },
  End: { Type: "Pass", Output: "{% [$how, $states.input] %}", End: true },
};

test.each([
  [11, ["rule 0", "many"]],
  [6, ["rule 1", { n: 6 }]],
  [1, ["default", "few"]],
])("Choice with %d takes the first rule that holds, with its own Output and Assign", async (n, expected) => {
  expect(await new Account().output(choice, { n })).toEqual(expected);
});

test("a Choice without a match or a Default fails as States.NoChoiceMatched", async () => {
  const states = { Ask: { ...choice.Ask, Default: undefined }, End: choice.End };
  expect(await new Account().run(states, { n: 1 })).toMatchObject({
    status: "FAILED",
    error: "States.NoChoiceMatched",
    cause: "No choice of the state 'Ask' matched and it has no Default.",
  });
});

test.each([
  [{ Seconds: "{% $states.input.s %}" }, "2026-03-01T02:01:30.000Z"],
  [{ Seconds: 5 }, "2026-03-01T02:00:05.000Z"],
  [{ Timestamp: "2026-03-01T03:00:00Z" }, "2026-03-01T03:00:00.000Z"],
  [{ Timestamp: "{% $states.input.until %}" }, "2026-03-01T02:30:00.000Z"],
  [{ Timestamp: "2020-01-01T00:00:00Z" }, "2026-03-01T02:00:00.000Z"],
])("Wait %j ends at its time", async (fields, expected) => {
  const account = new Account();
  const states = {
    W: { Type: "Wait", ...fields, Next: "Now" },
    Now: { Type: "Pass", Output: "{% $now() %}", End: true },
  };
  expect(await account.output(states, { s: 90, until: "2026-03-01T03:30:00+01:00" })).toBe(expected);
});

test("a timestamp that is none fails the evaluation, in AWS's words", async () => {
  const account = new Account();
  const done = await account.run({ W: { Type: "Wait", Timestamp: "{% '2016-12-05 21:29:29Z' %}", End: true } });
  const cause =
    "An error occurred while executing the state 'W' (entered at the event id #2). The Timestamp field cannot be parsed as an ISO-8601 extended offset date-time format string: 2016-12-05 21:29:29Z";
  expect(done).toMatchObject({ status: "FAILED", error: "States.QueryEvaluationError", cause });
  expect(account.history()[2]).toEqual({
    id: 3,
    previousEventId: 2,
    timestamp: at,
    type: "EvaluationFailed",
    evaluationFailedEventDetails: { error: "States.QueryEvaluationError", cause, location: "Timestamp", state: "W" },
  });
});

test("Fail takes Error and Cause from expressions; without them it fails bare", async () => {
  const said = await new Account().run(
    { No: { Type: "Fail", Error: "{% 'Budget' & 'Exceeded' %}", Cause: "{% $string($states.input.n) & ' hosts' %}" } },
    { n: 3 },
  );
  expect(said).toMatchObject({ status: "FAILED", error: "BudgetExceeded", cause: "3 hosts" });
  const bare = new Account();
  await bare.run({ No: { Type: "Fail" } });
  expect(bare.history().at(-1)).toEqual({
    id: 3,
    previousEventId: 2,
    timestamp: at,
    type: "ExecutionFailed",
    executionFailedEventDetails: {},
  });
});

test("Parallel gives each branch the Arguments and its own variables, and the results in order", async () => {
  const account = new Account();
  const branch = (name: string, seconds: number) => ({
    StartAt: `${name}Wait`,
    States: {
      [`${name}Wait`]: { Type: "Wait", Seconds: seconds, Assign: { mine: name }, Next: name },
      [name]: { Type: "Pass", Output: "{% [$mine, $outer, $states.input] %}", End: true },
    },
  });
  const output = await account.output({
    Set: { Type: "Pass", Assign: { outer: "o" }, Next: "Both" },
    Both: { Type: "Parallel", Arguments: { a: 1 }, Branches: [branch("Slow", 9), branch("Fast", 1)], End: true },
  });
  expect(output).toEqual([
    ["Slow", "o", { a: 1 }],
    ["Fast", "o", { a: 1 }],
  ]);
});

test("a failing branch aborts its siblings and is caught as its own error", async () => {
  const account = new Account();
  const done = await account.run({
    Both: {
      Type: "Parallel",
      Branches: [
        { StartAt: "Long", States: { Long: { Type: "Wait", Seconds: 900, End: true } } },
        { StartAt: "Bad", States: { Bad: { Type: "Fail", Error: "Oops", Cause: "why" } } },
      ],
      Catch: [{ ErrorEquals: ["Oops"], Next: "Caught" }],
      End: true,
    },
    Caught: { Type: "Succeed" },
  });
  expect(done).toMatchObject({ status: "SUCCEEDED", output: '{"Error":"Oops","Cause":"why"}', stopDate: at });
  expect(account.history().map(({ id, previousEventId, type }) => `${id}<${previousEventId} ${type}`)).toEqual([
    "1<0 ExecutionStarted",
    "2<0 ParallelStateEntered",
    "3<2 ParallelStateStarted",
    "4<3 WaitStateEntered",
    "5<3 FailStateEntered",
    "6<5 WaitStateAborted",
    "7<5 ParallelStateFailed",
    "8<7 ParallelStateExited",
    "9<8 SucceedStateEntered",
    "10<9 SucceedStateExited",
    "11<10 ExecutionSucceeded",
  ]);
});

test("seconds that are not whole or below zero fail the evaluation", async () => {
  for (const seconds of [0.5, -1]) {
    const done = await new Account().run({ W: { Type: "Wait", Seconds: `{% ${seconds} %}`, End: true } });
    expect(done.cause).toBe(
      `An error occurred while executing the state 'W' (entered at the event id #2). The field 'Seconds' is ${seconds}; it must be a whole number of at least 0.`,
    );
  }
});
