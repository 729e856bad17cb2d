import validate from "asl-validator";
import { afterAll, describe, expect, test } from "vitest";
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
    expect(machines.get(name)).toMatchObject({ QueryLanguage: "JSONata", StartAt: "Begin" });
  });

  test("no task is left without a way on when it fails", () => {
    const tasks = Object.entries(statesOf(name)).filter(([, { Type }]) => Type === "Task" || Type === "Map");

    const uncaught = tasks.filter(([, { Catch }]) => Catch?.at(-1)?.ErrorEquals[0] !== "States.ALL");

    expect(tasks.length).toBeGreaterThan(4);
    expect(uncaught.map(([id]) => id)).toEqual([]);
  });
});

const AFTER: readonly [string, string, string, string, string][] = [
  ["Preflight", "DownloadDispatch", "BatchDone", "BatchBroken", "PreflightPause"],
  ["Download", "VerifyDispatch", "BatchDone", "BatchBroken", "DownloadPause"],
  ["Verify", "BatchDone", "BatchDone", "BatchBroken", "VerifyPause"],
  ["Backup", "InstallDispatch", "RollbackNeeded", "TakeAllBack", "BackupPause"],
  ["Install", "ValidateDispatch", "RollbackNeeded", "TakeAllBack", "InstallPause"],
  ["Validate", "CommitDispatch", "RollbackNeeded", "TakeAllBack", "ValidatePause"],
  ["Commit", "RollbackNeeded", "RollbackNeeded", "TakeAllBack", "CommitPause"],
  ["Rollback", "RollbackEnded", "RollbackEnded", "BatchBroken", "RollbackPause"],
];

test.each(AFTER)(
  "after %s a batch goes on, ends, breaks and waits where it should",
  (step, on, nobody, broken, pause) => {
    const states = statesOf("PatchBatch");

    expect(states[`${step}Verdict`]?.Choices).toEqual([
      { Condition: "{% $verdict = 'pending' %}", Next: pause },
      { Condition: "{% $verdict = 'proceed' %}", Next: on },
      { Condition: "{% $verdict = 'nobodyLeft' %}", Next: nobody },
    ]);
    expect(states[pause]?.Next).toBe(`${step}Await`);
    expect(states[`${step}Await`]?.TimeoutSeconds).toBe(120);
    expect(states[`${step}Await`]?.Catch?.map(({ ErrorEquals, Next }) => [ErrorEquals[0], Next])).toEqual([
      ["States.Timeout", `${step}Collect`],
      ["States.ALL", broken],
    ]);
    for (const part of ["Dispatch", "Collect"])
      expect(states[`${step}${part}`]?.Catch?.map(({ Next }) => Next)).toEqual([broken]);
  },
);

test("whatever breaks PatchFleet is reported before it fails", () => {
  const states = statesOf("PatchFleet");
  const broken = Object.entries(states).flatMap(([id, { Catch }]) => (Catch ?? []).map(({ Next }) => [id, Next]));

  expect(Object.fromEntries(broken)).toEqual({
    Plan: "Report",
    Prepare: "Report",
    AssessPrepare: "Report",
    Apply: "Report",
    AssessApply: "Report",
    Report: "Unreported",
    Notify: "Unreported",
  });
});
