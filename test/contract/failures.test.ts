import { expect, test } from "vitest";
import { asFailure, EXIT, FAILURES, Failure, SECURITY_CODES } from "../../contract/failures.ts";
import { PHASES, STEP_TIMEOUT_SECONDS, STEPS } from "../../contract/steps.ts";

test("no exit code means anything to the SSM agent, and none is used twice", () => {
  const codes = Object.values(EXIT);
  expect(new Set(codes).size).toBe(codes.length);
  for (const special of [137, 168, 169, 194]) expect(codes).not.toContain(special);
});

test("what may be tampering is never retried", () => {
  expect([...SECURITY_CODES].sort()).toEqual([
    "fleetLockRefused",
    "hashMismatch",
    "lockInvalid",
    "metadataStale",
    "outsideLock",
    "pathUnsafe",
    "signatureInvalid",
    "splitView",
  ]);
  for (const code of SECURITY_CODES) expect(FAILURES[code].retryable, code).toBe(false);
});

test("an unknown error is our defect, a Failure stays itself", () => {
  const known = new Failure("unhealthy", "webapp: exit 1");
  expect(asFailure(known)).toBe(known);
  expect(asFailure(new TypeError("x is undefined"))).toMatchObject({
    code: "internal",
    message: "TypeError: x is undefined",
  });
});

test("every step has its place in a phase but those that are asked for by themselves, and a time-out the SSM agent accepts", () => {
  expect([...PHASES.prepare, ...PHASES.apply, ...PHASES.check, "rollback", "upload"]).toEqual([...STEPS]);
  for (const seconds of Object.values(STEP_TIMEOUT_SECONDS)) expect(seconds >= 5 && seconds <= 172_800).toBe(true);
});
