import validate from "asl-validator";
import { afterAll, describe, expect, onTestFinished, test } from "vitest";
import { definitionOf, synthesised } from "./assembly.ts";

interface State {
  readonly Type: string;
  readonly Next?: string;
  readonly Default?: string;
  readonly Choices?: readonly { readonly Condition: string; readonly Next: string }[];
  readonly Catch?: readonly { readonly ErrorEquals: readonly string[]; readonly Next: string }[];
  readonly TimeoutSeconds?: number;
}
type States = Readonly<Record<string, State>>;

const stack = synthesised({ waitSliceSeconds: 120 });
afterAll(() => stack.remove());
const machines = new Map(
  stack
    .ofType("AWS::StepFunctions::StateMachine")
    .map(([, resource]) => [lastName(resource.Properties.StateMachineName), definitionOf(resource)]),
);
function lastName(value: unknown): string {
  return String(value).split("-").at(-1) ?? "";
}
const statesOf = (name: string) => machines.get(name)?.States as States;

describe.each(["PatchFleet", "PatchBatch"])("%s", (name) => {
  test("is a valid definition in JSONata", () => {
    const definition = machines.get(name);

    const result = validate(definition);

    expect({ errors: result.errorsText("\n"), valid: result.isValid }).toEqual({ errors: "", valid: true });
    expect(machines.get(name)).toMatchObject({
      QueryLanguage: "JSONata",
      StartAt: name === "PatchFleet" ? "Begin" : "Phase",
    });
  });

  test("no task is left without a way on when it fails", () => {
    const tasks = Object.entries(statesOf(name)).filter(([, { Type }]) => Type === "Task" || Type === "Map");

    const uncaught = tasks.filter(([, { Catch }]) => Catch?.at(-1)?.ErrorEquals[0] !== "States.ALL");

    expect(tasks.length).toBeGreaterThan(3);
    expect(uncaught.map(([id]) => id)).toEqual([]);
  });
});

test.each(["snapshot", "replace"])(
  "with root volumes to %s the batch is valid too, and no task is without a way on",
  (rootVolumes) => {
    const other = synthesised({ rootVolumes });
    onTestFinished(() => other.remove());
    const batch = other
      .ofType("AWS::StepFunctions::StateMachine")
      .find(([, { Properties }]) => lastName(Properties.StateMachineName) === "PatchBatch");
    const definition = definitionOf((batch as NonNullable<typeof batch>)[1]);

    const result = validate(definition);

    expect({ errors: result.errorsText("\n"), valid: result.isValid }).toEqual({ errors: "", valid: true });
    const states = Object.entries(definition.States as States);
    expect(states.filter(([, { Type, Catch }]) => /Task|Map/.test(Type) && Catch === undefined)).toEqual([]);
  },
);

test.each([
  ["Prepare", undefined, "BatchBroken"],
  ["Apply", "ApplyVerdict", "TakeAllBack"],
  ["Commit", "WhoIsLeft", "TakeAllBack"],
  ["Check", "WhoIsLeft", "BatchBroken"],
  ["Rollback", "RollbackEnded", "BatchBroken"],
])("%s waits a slice at a time, and goes on or breaks where it should", (command, next, broken) => {
  const state = statesOf("PatchBatch")[command];
  expect([state?.TimeoutSeconds, state?.Next]).toEqual([120, next]);
  expect(state?.Catch?.map(({ ErrorEquals, Next }) => [ErrorEquals[0], Next])).toEqual([
    ["States.Timeout", command],
    ["States.ALL", broken],
  ]);
});

test("hosts that got through what applies are committed, and without any the batch rolls back what it must", () => {
  expect(statesOf("PatchBatch").ApplyVerdict?.Choices).toEqual([
    { Condition: "{% $verdict = 'proceed' %}", Next: "Commit" },
    { Condition: "{% $verdict = 'nobodyLeft' %}", Next: "WhoIsLeft" },
  ]);
});

test("whatever breaks PatchFleet is reported before it fails", () => {
  const states = statesOf("PatchFleet");
  const broken = Object.entries(states).flatMap(([id, { Catch }]) => (Catch ?? []).map(({ Next }) => [id, Next]));

  expect(Object.fromEntries(broken)).toEqual({
    Plan: "Report",
    Gate: "Report",
    Prepare: "Report",
    AssessPrepare: "Report",
    Approval: "Report",
    Apply: "Report",
    AssessApply: "Report",
    PromoteLock: "Report",
    FillPool: "Report",
    CheckBaked: "Report",
    AssessBaked: "Report",
    RollBackWave: "Report",
    Report: "Unreported",
    Notify: "Unreported",
  });
});
