import { expect, test } from "vitest";
import { DEFAULT_SENDING } from "../../../contract/environment.ts";
import { CommandName } from "../../../contract/steps.ts";
import { planSending } from "../../../lambdas/fleet/sending.ts";
import { SNAPSHOT } from "../snapshot.ts";

const NOW = new Date("2026-01-02T03:00:00.000Z");
const SETTINGS = { sending: DEFAULT_SENDING, documentPrefix: "Prod-", bucket: "bucket" };
const ids = (count: number) => Array.from({ length: count }, (_, index) => `i-${String(index).padStart(8, "0")}`);
const send = (command: CommandName, count: number, sending = DEFAULT_SENDING) =>
  planSending({ command, attempt: 1, wave: 0, instanceIds: ids(count) }, SNAPSHOT, { ...SETTINGS, sending }, NOW);

test("a command says what, to whom, and until when", () => {
  expect(send("rollback", 2)).toEqual({
    document: "Prod-AutoPatch-Rollback",
    comment: "AutoPatch run-1 wave 0 rollback",
    maxConcurrency: "100%",
    maxErrors: "100%",
    deliverySeconds: 600,
    // 600 to be delivered, 1,800 to run, 60 for the answer.
    deadline: new Date("2026-01-02T03:41:00.000Z"),
    request: {
      contractVersion: 1,
      runId: "run-1",
      fleet: "default",
      steps: ["rollback"],
      attempt: 1,
      expiresAt: "2026-01-02T03:11:00.000Z",
      instanceIds: ids(2),
      dryRun: false,
      policy: SNAPSHOT.policy,
      bucket: "bucket",
    },
  });
});

test.each(CommandName.options)(
  "%s is shared out as the seed says, unless it ends a trial, only asks, or takes backups off the host",
  (command) => {
    const { maxConcurrency, maxErrors } = send(command, 10);
    const everyHost = ["commit", "check", "rollback", "upload"].includes(command);

    expect([maxConcurrency, maxErrors]).toEqual(everyHost ? ["100%", "100%"] : ["50%", "1"]);
  },
);

test("a command has the time of all its steps", () => {
  const { request, deadline } = send("apply", 1);

  // 600 to be delivered; 1,800 and 3,600 and 1,200 and 900 to run; 60 for the answer.
  expect(deadline).toEqual(new Date("2026-01-02T05:16:00.000Z"));
  expect(request).toMatchObject({
    steps: ["backup", "install", "reboot", "validate"],
    expiresAt: "2026-01-02T03:11:00.000Z",
  });
});

test.each([
  [1, "50%", 600],
  [2, "50%", 600 + 7_500],
  [5, "50%", 600 + 2 * 7_500],
  [50, "50%", 600 + 7_500],
  [50, "10", 600 + 4 * 7_500],
  [50, "1%", 600 + 49 * 7_500],
  [3, "10", 600],
])("%i hosts at %s leave the last ones time for their turn: %i s", (count, maxConcurrency, seconds) => {
  expect(send("apply", count, { ...DEFAULT_SENDING, maxConcurrency }).deliverySeconds).toBe(seconds);
});

test("a comment never grows beyond what SSM takes", () => {
  const runId = "r".repeat(64);
  const asked = { command: "rollback" as const, attempt: 1, wave: 1_000_000, instanceIds: ids(1) };
  const { comment } = planSending(asked, { ...SNAPSHOT, runId }, SETTINGS, NOW);

  expect(comment).toBe(`AutoPatch ${runId} wave 1000000 rollback`);
  expect(comment.length).toBeLessThanOrEqual(100);
});
