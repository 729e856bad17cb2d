import { expect, test } from "vitest";
import { DEFAULT_SENDING } from "../../../contract/environment.ts";
import { STEPS, type StepName } from "../../../contract/steps.ts";
import { planSending } from "../../../lambdas/fleet/sending.ts";
import { SNAPSHOT } from "../snapshot.ts";

const NOW = new Date("2026-01-02T03:00:00.000Z");
const SETTINGS = { sending: DEFAULT_SENDING, documentPrefix: "Prod-", bucket: "bucket" };
const ids = (count: number) => Array.from({ length: count }, (_, index) => `i-${String(index).padStart(8, "0")}`);
const send = (step: StepName, count: number, sending = DEFAULT_SENDING) =>
  planSending({ step, attempt: 1, wave: 0, instanceIds: ids(count) }, SNAPSHOT, { ...SETTINGS, sending }, NOW);

test("a command says what, to whom, and until when", () => {
  expect(send("validate", 2)).toEqual({
    document: "Prod-AutoPatch-Validate",
    comment: "AutoPatch run-1 wave 0 validate",
    maxConcurrency: "100%",
    maxErrors: "100%",
    deliverySeconds: 600,
    // 600 to be delivered, 900 to run, 60 for the answer.
    deadline: new Date("2026-01-02T03:26:00.000Z"),
    request: {
      contractVersion: 1,
      runId: "run-1",
      fleet: "default",
      step: "validate",
      attempt: 1,
      expiresAt: "2026-01-02T03:11:00.000Z",
      instanceIds: ids(2),
      dryRun: false,
      policy: SNAPSHOT.policy,
      bucket: "bucket",
    },
  });
});

test.each(STEPS)("%s is shared out as the seed says, unless it ends a trial", (step) => {
  const { maxConcurrency, maxErrors } = send(step, 10);
  const endsTrial = ["validate", "commit", "rollback"].includes(step);

  expect([maxConcurrency, maxErrors]).toEqual(endsTrial ? ["100%", "100%"] : ["50%", "1"]);
});

test.each([
  [1, "50%", 600],
  [2, "50%", 600 + 3_600],
  [5, "50%", 600 + 2 * 3_600],
  [50, "50%", 600 + 3_600],
  [50, "10", 600 + 4 * 3_600],
  [50, "1%", 600 + 49 * 3_600],
  [3, "10", 600],
])("%i hosts at %s leave the last ones time for their turn: %i s", (count, maxConcurrency, seconds) => {
  expect(send("install", count, { ...DEFAULT_SENDING, maxConcurrency }).deliverySeconds).toBe(seconds);
});

test("a comment never grows beyond what SSM takes", () => {
  const runId = "r".repeat(64);
  const asked = { step: "rollback" as const, attempt: 1, wave: 1_000_000, instanceIds: ids(1) };
  const { comment } = planSending(asked, { ...SNAPSHOT, runId }, SETTINGS, NOW);

  expect(comment).toBe(`AutoPatch ${runId} wave 1000000 rollback`);
  expect(comment.length).toBeLessThanOrEqual(100);
});
