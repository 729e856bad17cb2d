import { expect, test } from "vitest";
import { Account } from "./account.ts";

const each = (states: object, more: object = {}) => ({
  Type: "Map",
  Items: "{% $states.input.list %}",
  ItemProcessor: { ProcessorConfig: { Mode: "INLINE" }, StartAt: Object.keys(states)[0], States: states },
  End: true,
  ...more,
});

test("iterations see the item, the outer variables and their own, and answer in the items' order", async () => {
  const account = new Account();
  const map = each(
    {
      Slow: {
        Type: "Wait",
        Seconds: "{% 9 - $states.input.i %}",
        Assign: { own: "{% $states.input.v %}" },
        Next: "Say",
      },
      Say: {
        Type: "Pass",
        Output: "{% [$own, $outer, $states.context.Map.Item.Index, $states.context.Map.Item.Value] %}",
        End: true,
      },
    },
    { ItemSelector: { v: "{% $states.context.Map.Item.Value & '!' %}", i: "{% $states.context.Map.Item.Index %}" } },
  );
  const output = await account.output(
    { Set: { Type: "Pass", Assign: { outer: "o" }, Next: "Each" }, Each: map },
    { list: ["a", "b"] },
  );
  expect(output).toEqual([
    ["a!", "o", 0, "a"],
    ["b!", "o", 1, "b"],
  ]);
});

test("what an iteration assigns is gone with it", async () => {
  const set = { Set: { Type: "Pass", Output: "{% $exists($own) %}", Assign: { own: 1 }, End: true } };
  const output = await new Account().output(
    {
      Each: each(set, { MaxConcurrency: 1, End: undefined, Next: "After" }),
      After: { Type: "Pass", Output: "{% [$states.input, $exists($own)] %}", End: true },
    },
    { list: [1, 2] },
  );
  expect(output).toEqual([false, false, false]);
});

test("MaxConcurrency 1 goes one by one, chained in the history as AWS does", async () => {
  const account = new Account();
  await account.run({ Each: each({ P: { Type: "Pass", End: true } }, { MaxConcurrency: 1 }) }, { list: [7, 8] });
  expect(account.history().map(({ id, previousEventId, type }) => `${id}<${previousEventId} ${type}`)).toEqual([
    "1<0 ExecutionStarted",
    "2<0 MapStateEntered",
    "3<2 MapStateStarted",
    "4<3 MapIterationStarted",
    "5<4 PassStateEntered",
    "6<5 PassStateExited",
    "7<6 MapIterationSucceeded",
    "8<6 MapIterationStarted",
    "9<8 PassStateEntered",
    "10<9 PassStateExited",
    "11<10 MapIterationSucceeded",
    "12<11 MapStateSucceeded",
    "13<11 MapStateExited",
    "14<13 ExecutionSucceeded",
  ]);
});

test("the first failing iteration fails the map and aborts the others; Retry starts it all again", async () => {
  const account = new Account();
  const map = each(
    {
      Ask: { Type: "Choice", Choices: [{ Condition: "{% $states.input = 'bad' %}", Next: "Bad" }], Default: "Long" },
      Bad: { Type: "Fail", Error: "Oops" },
      Long: { Type: "Wait", Seconds: 99, End: true },
    },
    { Retry: [{ ErrorEquals: ["Oops"], MaxAttempts: 1, IntervalSeconds: 2 }] },
  );
  const done = await account.run({ Each: map }, { list: ["good", "bad"] });
  expect(done).toMatchObject({ status: "FAILED", error: "Oops", stopDate: new Date("2026-03-01T02:00:02.000Z") });
  const maps = account.history().filter(({ type }) => type.startsWith("Map") || type.endsWith("Aborted"));
  expect(maps.map((event) => event.type)).toEqual([
    "MapStateEntered",
    "MapStateStarted",
    "MapIterationStarted",
    "MapIterationStarted",
    "MapIterationFailed",
    "WaitStateAborted",
    "MapIterationAborted",
    "MapStateStarted",
    "MapIterationStarted",
    "MapIterationStarted",
    "MapIterationFailed",
    "WaitStateAborted",
    "MapIterationAborted",
    "MapStateFailed",
  ]);
});

test("Items that are no array fail the evaluation in AWS's words", async () => {
  const done = await new Account().run({ Each: each({ P: { Type: "Pass", End: true } }, { Items: "{% 'string' %}" }) });
  expect(done.cause).toBe(
    "An error occurred while executing the state 'Each' (entered at the event id #2). The JSONata expression ''string'' specified for the field 'Items' returned an unexpected result type. Expected 'array', but was 'string' for value: \"string\"",
  );
});
