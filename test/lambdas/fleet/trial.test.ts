import { expect, test } from "vitest";
import { trialRunsOut } from "../../../lambdas/fleet/trial.ts";

const SENT = {
  item: { runId: "run-1", wave: 1, batch: 0, instanceIds: ["i-00000002"] },
  command: "apply",
  attempt: 1,
  commandId: "c-1",
  instanceIds: ["i-00000002"],
  undeliverable: [],
  sentAt: "2026-01-02T03:00:00.000Z",
  deadline: "2026-01-02T09:00:00.000Z",
  toRollBack: [],
  dryRun: false,
  trialSeconds: 3_600,
} as const satisfies Parameters<typeof trialRunsOut>[0];
const at = (time: string) => new Date(`2026-01-02T${time}Z`);

test.each([
  ["there is time for another look and the commit after it", "03:35:00", 900, false],
  ["the commit after the next look would come too late", "03:35:01", 900, true],
  ["looks are rarer", "03:30:01", 1_200, true],
  ["it is long over", "05:00:00", 900, true],
])("hosts that have applied wait for the others: %s", (_when, time, slice, expected) => {
  expect(trialRunsOut(SENT, slice, at(time))).toBe(expected);
});

test("what puts no host on trial waits until its deadline", () => {
  const { trialSeconds: _none, ...prepare } = SENT;
  expect(trialRunsOut(prepare, 900, at("08:59:59"))).toBe(false);
});
