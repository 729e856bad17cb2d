import { expect, test } from "vitest";
import type { StepName } from "../../../contract/steps.ts";
import { type Onward, onward, partition } from "../../../lambdas/fleet/partition.ts";
import { type Said, said } from "../results.ts";

test.each<[StepName, Said, Onward]>([
  ["preflight", "ok", "proceed"],
  ["preflight", "diskTooFull", "leave"],
  ["download", "nothing", "leave"],
  ["preflight", "blocked", "leave"],
  ["backup", "backupFailed", "leave"],
  ["backup", "undeliverable", "leave"],
  ["backup", "noAnswer", "rollBack"],
  ["install", "ok", "proceed"],
  ["install", "reboot", "proceed"],
  ["install", "blocked", "leave"],
  ["install", "nothing", "leave"],
  ["install", "maintainerScriptFailed, undone", "rollBack"],
  ["install", "noAnswer", "rollBack"],
  ["install", "resultUnreadable", "rollBack"],
  ["reboot", "ok", "proceed"],
  ["reboot", "rebootFailed", "rollBack"],
  ["reboot", "nothing", "rollBack"],
  ["validate", "unhealthy", "rollBack"],
  ["validate", "blocked", "rollBack"],
  ["validate", "nothing", "rollBack"],
  ["commit", "noAnswer", "rollBack"],
  ["commit", "nothing", "rollBack"],
  ["backup", "stepKilled", "rollBack"],
  ["install", "resultForeign", "rollBack"],
  ["check", "ok", "proceed"],
  ["check", "unhealthy", "rollBack"],
  ["check", "noAnswer", "leave"],
  ["check", "stepTimedOut", "leave"],
  ["check", "noTransaction", "leave"],
  ["check", "blocked", "leave"],
  ["rollback", "ok", "proceed"],
  ["rollback", "rollbackIncomplete", "leave"],
])("after %s %s a host goes: %s", (step, what, where) => {
  expect(onward(said(step, what))).toBe(where);
});

test.each<[StepName, Said]>([
  ["install", "installFailed"],
  ["validate", "nothing"],
])("in a dry run nothing is rolled back: %s %s", (step, what) => {
  expect(onward(said(step, what, { dryRun: true }))).toBe("leave");
});

test("hosts to roll back gather over the steps, each once", () => {
  const results = [
    said("validate", "ok", { instanceId: "i-0000000a" }),
    said("validate", "unhealthy", { instanceId: "i-0000000b" }),
    said("validate", "unhealthy", { instanceId: "i-0000000c" }),
  ];

  expect(partition(results, ["i-0000000c", "i-0000000d"])).toEqual({
    verdict: "proceed",
    instanceIds: ["i-0000000a"],
    toRollBack: ["i-0000000c", "i-0000000d", "i-0000000b"],
    waiting: [],
    lost: [],
  });
  expect(partition(results.slice(1), [])).toEqual({
    verdict: "nobodyLeft",
    instanceIds: [],
    toRollBack: ["i-0000000b", "i-0000000c"],
    waiting: [],
    lost: [],
  });
});

test.each([
  ["noAnswer", true],
  ["undeliverable", true],
  ["notPickedUp", true],
  // Whatever it said, it is alive.
  ["resultUnreadable", false],
  ["stepKilled", false],
  ["rollbackIncomplete", false],
  ["hostGone", false],
] as const)("a host whose rollback came to %s may never answer again: %s", (code, isLost) => {
  expect(partition([said("rollback", code, { instanceId: "i-0000000a" })], []).lost).toEqual(
    isLost ? ["i-0000000a"] : [],
  );
  expect(partition([said("install", code, { instanceId: "i-0000000a" })], []).lost).toEqual([]);
});
