import { expect, test } from "vitest";
import type { FailureCode } from "../../../contract/failures.ts";
import { encodeResult } from "../../../contract/frame.ts";
import type { StepName } from "../../../contract/steps.ts";
import { type Invocation, resultOf, withoutAnswer } from "../../../lambdas/fleet/invocation.ts";
import { said } from "../results.ts";

const ID = "i-00000001";
const NOW = new Date("2026-01-02T04:00:00.000Z");
const LATER = new Date("2026-01-02T05:00:00.000Z");
const asked = (step: StepName) => ({ runId: "run-1", step, attempt: 1, dryRun: false });
const invocation = (over: Partial<Invocation>): Invocation => ({
  instanceId: ID,
  status: "Success",
  exitCode: 0,
  started: true,
  stdout: "",
  ...over,
});

test.each<[string, StepName, Partial<Invocation>, FailureCode, string]>([
  [
    "never delivered",
    "install",
    { status: "Undeliverable", started: false },
    "undeliverable",
    "SSM says Undeliverable",
  ],
  ["delivered too late", "install", { status: "DeliveryTimedOut" }, "undeliverable", "SSM says DeliveryTimedOut"],
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
    "noAnswer",
    "SSM says TimedOut: the step was killed (exit 137)",
  ],
  [
    "killed",
    "install",
    { status: "Failed", exitCode: 137 },
    "installTimedOut",
    "SSM says Failed: the step was killed (exit 137)",
  ],
  ["silent success", "install", {}, "resultUnreadable", "the step printed nothing; SSM says Success, exit 0"],
])("%s is a failure, never a guess", (_name, step, over, code, message) => {
  const result = resultOf(ID, invocation(over), asked(step), NOW, LATER);

  expect(result).toEqual(withoutAnswer(ID, asked(step), NOW, code, message));
});

test.each(["Pending", "InProgress", "Delayed", "Cancelling"])("%s may still answer, until the deadline", (status) => {
  expect(resultOf(ID, invocation({ status }), asked("install"), NOW, LATER)).toBe("pending");
  expect(resultOf(ID, invocation({ status }), asked("install"), LATER, LATER)).toMatchObject({
    code: "noAnswer",
    message: `no answer by 2026-01-02T05:00:00.000Z; SSM says ${status}`,
  });
});

test("a host that SSM does not list yet may still answer, until the deadline", () => {
  expect(resultOf(ID, undefined, asked("install"), NOW, LATER)).toBe("pending");
  expect(resultOf(ID, undefined, asked("install"), LATER, LATER)).toMatchObject({
    outcome: "failed",
    code: "noAnswer",
    retryable: true,
    message: "no answer by 2026-01-02T05:00:00.000Z; SSM knows of no invocation",
  });
});

test("what the host printed counts, whatever SSM's status", () => {
  const result = said("install", "maintainerScriptFailed, undone");
  const stdout = `some line\n${encodeResult(result)}\n`;

  expect(resultOf(ID, invocation({ status: "Failed", exitCode: 10, stdout }), asked("install"), NOW, LATER)).toEqual(
    result,
  );
});

test.each([
  [{ runId: "run-0" }, "the answer's runId is run-0, asked was run-1"],
  [{ instanceId: "i-00000002" }, "the answer's instanceId is i-00000002, asked was i-00000001"],
  [{ attempt: 2 }, "the answer's attempt is 2, asked was 1"],
  [{ dryRun: true }, "the answer's dryRun is true, asked was false"],
])("an answer to something else is no answer: %j", (over, message) => {
  const stdout = encodeResult(said("install", "ok", over));

  expect(resultOf(ID, invocation({ stdout }), asked("install"), NOW, LATER)).toMatchObject({
    instanceId: ID,
    runId: "run-1",
    outcome: "failed",
    code: "resultUnreadable",
    message,
  });
});

test("a cut line is unreadable, and says by how much", () => {
  const stdout = encodeResult(said("install", "ok")).slice(0, -40);

  expect(resultOf(ID, invocation({ stdout }), asked("install"), NOW, LATER)).toMatchObject({
    code: "resultUnreadable",
    message: expect.stringMatching(/^the result line is cut: \d+ of \d+ bytes; SSM says Success, exit 0$/),
  });
});
