import { describe, expect, test } from "vitest";
import type { StepResult } from "../../contract/envelope.ts";
import { dataOf } from "../../contract/envelope.ts";
import { decodeResult, encodeResult, FRAME_LIMIT } from "../../contract/frame.ts";

const who = {
  contractVersion: 1,
  runId: "run-1",
  attempt: 1,
  instanceId: "i-0123456789abcdef0",
  bootId: "0f0e0d0c-0000-4000-8000-000000000001",
  agentVersion: "0.1.0",
  startedAt: "2026-11-24T02:00:00.000Z",
  durationMs: 1234,
  dryRun: false,
  reportKey: null,
} as const;

const verified: StepResult = {
  ...who,
  step: "verify",
  outcome: "succeeded",
  data: { lockDigest: "ab".repeat(32), packages: 34, releases: 2 },
};

describe("a framed result", () => {
  test.each<StepResult>([
    verified,
    {
      ...who,
      step: "install",
      outcome: "rebootRequired",
      reasons: [{ code: "kernel", message: "linux-image" }],
      data: { lockDigest: "0".repeat(64), packages: 1, removals: 0, conffilesKept: 2 },
    },
    { ...who, step: "download", outcome: "nothingToDo", message: "no updates are pending" },
    {
      ...who,
      step: "preflight",
      outcome: "blocked",
      reasons: [{ code: "packageLockHeld", message: "apt-get (pid 77)" }],
    },
    {
      ...who,
      step: "install",
      outcome: "failed",
      code: "maintainerScriptFailed",
      message: "été → ✗ \u{1F4A5}",
      retryable: false,
      rolledBack: true,
    },
  ])("$step $outcome comes back as it went, whatever is printed before it", (result) => {
    const line = encodeResult(result);
    expect(line).toMatch(/^[\x20-\x7e]+$/);
    expect(decodeResult(`Reading package lists...\n${line}\n\n`)).toEqual({ ok: true, result });
  });

  test("long texts are shortened until the line fits what ListCommandInvocations gives", () => {
    const line = encodeResult({
      ...who,
      step: "install",
      outcome: "failed",
      code: "installFailed",
      message: "é".repeat(9_000),
      retryable: false,
      rolledBack: false,
    });
    expect(line.length).toBeLessThanOrEqual(FRAME_LIMIT);
    expect(decodeResult(line)).toMatchObject({
      ok: true,
      result: { code: "installFailed", message: expect.stringMatching(/^é{300}…$/) },
    });
  });

  const line = encodeResult(verified);
  test.each([
    ["nothing", "", "the step printed nothing"],
    ["another last line", `${line}\nsh: 1: bye`, 'the last line is no result: "sh: 1: bye"'],
    ["a cut line", line.slice(0, -40), /^the result line is cut: \d+ of \d+ bytes$/],
    ["a changed byte", line.replace('"packages":34', '"packages":35'), "the result line does not match its checksum"],
    ["output truncated by the SSM agent", `${line.slice(0, 300)}--output truncated--`, /^the result line is cut/],
  ])("%s is refused, with the reason", (_name, stdout, why) => {
    expect(decodeResult(stdout)).toEqual({
      ok: false,
      why: typeof why === "string" ? why : expect.stringMatching(why),
    });
  });

  test("another contract version, or data of another step, does not fit", () => {
    const other = encodeResult({ ...verified, contractVersion: 2 } as unknown as StepResult);
    expect(decodeResult(other)).toMatchObject({ ok: false, why: expect.stringContaining("contractVersion") });
    const mixed = encodeResult({ ...verified, step: "backup" } as unknown as StepResult);
    expect(decodeResult(mixed)).toMatchObject({ ok: false, why: expect.stringContaining("not the data of backup") });
  });
});

test("dataOf gives a step's data only for that step and only when it got through", () => {
  expect(dataOf(verified, "verify")).toEqual({ lockDigest: "ab".repeat(32), packages: 34, releases: 2 });
  expect(dataOf(verified, "backup")).toBeUndefined();
  expect(dataOf({ ...who, step: "verify", outcome: "nothingToDo", message: "" }, "verify")).toBeUndefined();
});
