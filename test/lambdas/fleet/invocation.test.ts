import { expect, test } from "vitest";
import type { FailureCode } from "../../../contract/failures.ts";
import { encodeResult } from "../../../contract/frame.ts";
import { COMMANDS, CommandName, type StepName } from "../../../contract/steps.ts";
import {
  type Invocation,
  type InvokedStep,
  refusedBy,
  resultsOf,
  withoutAnswer,
} from "../../../lambdas/fleet/invocation.ts";
import { said } from "../results.ts";

const ID = "i-00000001";
const NOW = new Date("2026-01-02T04:00:00.000Z");
const LATER = new Date("2026-01-02T05:00:00.000Z");
const asked = (step: StepName) => ({ runId: "run-1", step, attempt: 1, dryRun: false });
const commandOf = (step: StepName) =>
  CommandName.options.find((one) => (COMMANDS[one] as readonly StepName[]).includes(step)) as CommandName;
const PRINTED = { status: "Success", exitCode: 0, started: true } as const;

/** A host whose command came as far as a step: those before it passed, those after it were not reached. */
function invocation(step: StepName, over: Partial<InvokedStep>): Invocation {
  const steps: readonly StepName[] = COMMANDS[commandOf(step)];
  const at = steps.indexOf(step);
  const seen = steps.map((name, i): [string, InvokedStep] => {
    if (i === at) return [name, { ...PRINTED, stdout: "", ...over }];
    return [name, { ...PRINTED, stdout: i < at ? encodeResult(said(name, "ok")) : "" }];
  });
  return { instanceId: ID, status: over.status ?? "Success", steps: Object.fromEntries(seen) };
}

/** What came of a step; what came before it passed, and nothing is said of what comes after it. */
function resultOf(step: StepName, seen: Invocation | undefined, now: Date) {
  const results = resultsOf(
    ID,
    seen,
    { runId: "run-1", command: commandOf(step), attempt: 1, dryRun: false },
    now,
    LATER,
  );
  if (results === "pending") return results;
  expect(results.slice(0, -1).map((one) => one.outcome)).toEqual(results.slice(1).map(() => "succeeded"));
  return results.at(-1);
}

test.each<[string, StepName, Partial<InvokedStep>, FailureCode, string]>([
  [
    "never delivered",
    "install",
    { status: "Undeliverable", started: false },
    "undeliverable",
    "SSM says Undeliverable",
  ],
  ["delivered too late", "install", { status: "DeliveryTimedOut" }, "notPickedUp", "SSM says DeliveryTimedOut"],
  [
    "called off before",
    "install",
    { status: "Terminated", started: false },
    "notStarted",
    "SSM says Terminated before the step began",
  ],
  ["called off within", "install", { status: "Cancelled" }, "noAnswer", "SSM says Cancelled after the step had begun"],
  [
    "install out of time",
    "install",
    { status: "ExecutionTimedOut", exitCode: -1 },
    "installTimedOut",
    "SSM says ExecutionTimedOut: the step was killed (exit -1)",
  ],
  [
    "validate out of time",
    "validate",
    { status: "TimedOut", exitCode: 137 },
    "stepTimedOut",
    "SSM says TimedOut: the step was killed (exit 137)",
  ],
  [
    "reboot out of time",
    "reboot",
    { status: "ExecutionTimedOut", exitCode: -1 },
    "rebootFailed",
    "SSM says ExecutionTimedOut: the step was killed (exit -1)",
  ],
  [
    "killed",
    "install",
    { status: "Failed", exitCode: 137 },
    "installTimedOut",
    "SSM says Failed: the step was killed (exit 137)",
  ],
  [
    "killed after its time was over",
    "validate",
    { status: "Failed", exitCode: 137, seconds: 899 },
    "stepTimedOut",
    "SSM says Failed: the step was killed after 899 s (exit 137)",
  ],
  [
    "killed before its time was over",
    "install",
    { status: "TimedOut", exitCode: 137, seconds: 12 },
    "stepKilled",
    "SSM says TimedOut: the step was killed after 12 s (exit 137)",
  ],
  ["silent success", "install", {}, "resultUnreadable", "the step printed nothing; SSM says Success, exit 0"],
])("%s is a failure, never a guess", (_name, step, over, code, message) => {
  const result = resultOf(step, invocation(step, over), NOW);

  expect(result).toEqual(withoutAnswer(ID, asked(step), NOW, code, message));
});

test.each(["Pending", "InProgress", "Delayed", "Cancelling"])("%s may still answer, until the deadline", (status) => {
  expect(resultOf("install", invocation("install", { status }), NOW)).toBe("pending");
  expect(resultOf("install", invocation("install", { status }), LATER)).toMatchObject({
    code: "noAnswer",
    message: `no answer by 2026-01-02T05:00:00.000Z; SSM says ${status}`,
  });
});

test("a host that does not come back from its reboot is said to be that", () => {
  expect(resultOf("reboot", invocation("reboot", { status: "InProgress" }), LATER)).toMatchObject({
    outcome: "failed",
    code: "rebootFailed",
    retryable: false,
    message: "no answer by 2026-01-02T05:00:00.000Z; SSM says InProgress",
  });
});

test("a host that SSM does not list yet may still answer, until the deadline", () => {
  expect(resultOf("backup", undefined, NOW)).toBe("pending");
  expect(resultOf("backup", undefined, LATER)).toMatchObject({
    outcome: "failed",
    code: "noAnswer",
    retryable: true,
    message: "no answer by 2026-01-02T05:00:00.000Z; SSM knows of no invocation",
  });
});

test("what the host printed counts, whatever SSM's status", () => {
  const result = said("install", "maintainerScriptFailed, undone");
  const stdout = `some line\n${encodeResult(result)}\n`;

  expect(resultOf("install", invocation("install", { status: "Failed", exitCode: 10, stdout }), NOW)).toEqual(result);
});

test.each([
  [{ runId: "run-0" }, "the answer's runId is run-0, asked was run-1"],
  [{ instanceId: "i-00000002" }, "the answer's instanceId is i-00000002, asked was i-00000001"],
  [{ attempt: 2 }, "the answer's attempt is 2, asked was 1"],
  [{ dryRun: true }, "the answer's dryRun is true, asked was false"],
])("an answer to something else is no answer: %j", (over, message) => {
  const stdout = encodeResult(said("install", "ok", over));

  expect(resultOf("install", invocation("install", { stdout }), NOW)).toMatchObject({
    instanceId: ID,
    runId: "run-1",
    outcome: "failed",
    code: "resultForeign",
    message,
  });
});

test("a cut line is unreadable, and says by how much", () => {
  const stdout = encodeResult(said("install", "ok")).slice(0, -40);

  expect(resultOf("install", invocation("install", { stdout }), NOW)).toMatchObject({
    code: "resultUnreadable",
    message: expect.stringMatching(/^the result line is cut: \d+ of \d+ bytes; SSM says Success, exit 0$/),
  });
});

test("of a command whose steps all passed, every step is told", () => {
  const seen = invocation("validate", { stdout: encodeResult(said("validate", "ok")) });
  const results = resultsOf(ID, seen, { runId: "run-1", command: "apply", attempt: 1, dryRun: false }, NOW, LATER);

  expect(results).toEqual(COMMANDS.apply.map((step) => said(step, "ok")));
});

test("a command that SSM refused for a host counts as its first step", () => {
  const sent = { runId: "run-1", command: "apply", attempt: 1, dryRun: false } as const;
  expect(refusedBy(ID, sent, NOW)).toMatchObject({ step: "backup", outcome: "failed", code: "undeliverable" });
  expect(refusedBy(ID, sent, NOW, "hostGone")).toMatchObject({
    step: "backup",
    code: "hostGone",
    retryable: false,
    message: "SSM refused the command for this host: Systems Manager does not know the host any more",
  });
});
