import { expect, test } from "vitest";
import type { HostOutcome } from "../../../contract/run.ts";
import type { StepName } from "../../../contract/steps.ts";
import { byHost, firstFailure, hostOutcome, whyWentBack } from "../../../lambdas/fleet/host-outcome.ts";
import { type Said, said, seen } from "../results.ts";

const READY = { preflight: "ok", download: "ok", verify: "ok", rehearse: "ok", backup: "ok" } as const;

const DONE = { ...READY, install: "ok", validate: "ok", commit: "ok" } as const;

test.each<[Partial<Record<StepName, Said>>, HostOutcome]>([
  [{}, "unchanged"],
  [{ preflight: "diskTooFull" }, "unchanged"],
  [{ preflight: "ok", download: "nothing" }, "nothingToDo"],
  [{ preflight: "blocked" }, "blocked"],
  [{ ...READY, backup: "backupFailed" }, "unchanged"],
  // Nobody knows how far it came with its command.
  [{ ...READY, backup: "noAnswer" }, "inDoubt"],
  [{ ...READY, backup: "noAnswer", rollback: "nothing" }, "inDoubt"],
  [{ ...READY, backup: "noAnswer", rollback: "ok" }, "rolledBack"],
  [{ ...READY, backup: "undeliverable" }, "unchanged"],
  [{ ...READY }, "inDoubt"],
  [{ ...READY, install: "ok", validate: "ok", commit: "ok" }, "committed"],
  [{ ...READY, install: "reboot", validate: "ok", commit: "ok" }, "committed"],
  [{ ...READY, install: "reboot", reboot: "ok", validate: "ok", commit: "ok" }, "committed"],
  [{ ...READY, install: "reboot", reboot: "rebootFailed", rollback: "noAnswer" }, "inDoubt"],
  [{ ...READY, install: "reboot", reboot: "rebootFailed", rollback: "ok" }, "rolledBack"],
  [{ ...READY, install: "ok", validate: "ok", commit: "noTransaction", rollback: "ok" }, "rolledBack"],
  [{ ...READY, install: "nothing" }, "nothingToDo"],
  [{ ...READY, install: "blocked" }, "blocked"],
  [{ ...READY, install: "ok" }, "inDoubt"],
  [{ ...READY, install: "ok", validate: "unhealthy" }, "inDoubt"],
  [{ ...READY, install: "ok", validate: "unhealthy", rollback: "ok" }, "rolledBack"],
  [{ ...READY, install: "ok", validate: "unhealthy", rollback: "different" }, "inDoubt"],
  [{ ...READY, install: "ok", validate: "unhealthy", rollback: "rollbackIncomplete" }, "inDoubt"],
  [{ ...READY, install: "ok", validate: "unhealthy", rollback: "noAnswer" }, "inDoubt"],
  [{ ...READY, install: "ok", validate: "unhealthy", rollback: "nothing" }, "inDoubt"],
  [{ ...READY, install: "maintainerScriptFailed, undone", rollback: "nothing" }, "rolledBack"],
  [{ ...READY, install: "maintainerScriptFailed, undone", rollback: "ok" }, "rolledBack"],
  [{ ...READY, install: "maintainerScriptFailed, undone" }, "inDoubt"],
  [{ ...READY, install: "maintainerScriptFailed, undone", rollback: "noAnswer" }, "inDoubt"],
  [{ ...READY, install: "maintainerScriptFailed", rollback: "nothing" }, "inDoubt"],
  [{ ...READY, install: "internal", rollback: "nothing" }, "inDoubt"],
  [{ ...READY, install: "lockInvalid", rollback: "nothing" }, "unchanged"],
  [{ ...READY, install: "notStarted", rollback: "nothing" }, "unchanged"],
  [{ ...READY, install: "undeliverable", rollback: "undeliverable" }, "inDoubt"],
  [{ ...READY, install: "noAnswer", rollback: "nothing" }, "inDoubt"],
  [{ ...READY, install: "resultUnreadable", rollback: "nothing" }, "inDoubt"],
  [{ ...READY, install: "installTimedOut", rollback: "ok" }, "rolledBack"],
  [{ ...READY, install: "ok", validate: "ok", commit: "noAnswer", rollback: "nothing" }, "inDoubt"],
  [{ ...READY, install: "ok", validate: "ok", commit: "ok", rollback: "nothing" }, "committed"],
  [{ ...READY, install: "ok", validate: "ok", commit: "ok", rollback: "ok" }, "rolledBack"],
  [{ ...READY, install: "ok", validate: "ok", commit: "ok", rollback: "noAnswer" }, "inDoubt"],
  // Asked again after the bake.
  [{ ...DONE, check: "ok" }, "committed"],
  [{ ...DONE, check: "unhealthy" }, "inDoubt"],
  [{ ...DONE, check: "unhealthy", rollback: "ok" }, "rolledBack"],
  [{ ...DONE, check: "unhealthy", rollback: "nothing" }, "inDoubt"],
  [{ ...DONE, check: "unhealthy", rollback: "blocked" }, "inDoubt"],
  [{ ...DONE, check: "hostGone" }, "inDoubt"],
  // Its wave was stopped.
  [{ ...DONE, rollback: "blocked" }, "committed"],
  [{ ...DONE, check: "ok", rollback: "ok" }, "rolledBack"],
  [{ ...DONE, check: "ok", rollback: "hostGone" }, "inDoubt"],
  [{ ...READY, install: "ok", validate: "unhealthy", rollback: "blocked" }, "inDoubt"],
  // Where SSM took no command, nothing was begun.
  [{ ...READY, backup: "sendRefused", rollback: "sendRefused" }, "unchanged"],
  [{ ...READY, backup: "notPickedUp" }, "unchanged"],
  [{ ...READY, backup: "stepKilled", rollback: "nothing" }, "inDoubt"],
])("a host that said %j is %s", (steps, outcome) => {
  expect(hostOutcome(seen(steps), false)).toBe(outcome);
});

test.each<[Partial<Record<StepName, Said>>, HostOutcome]>([
  [{ preflight: "ok", download: "ok", verify: "ok", backup: "ok", install: "ok", validate: "nothing" }, "planned"],
  [{ preflight: "ok", download: "ok", verify: "nothing" }, "planned"],
  [{ preflight: "ok", download: "nothing" }, "nothingToDo"],
  [{ preflight: "blocked" }, "blocked"],
  [{ preflight: "ok", download: "ok", verify: "ok", install: "installFailed" }, "unchanged"],
  [{ preflight: "ok", download: "ok" }, "unchanged"],
])("in a dry run, a host that said %j is %s", (steps, outcome) => {
  expect(hostOutcome(seen(steps, { dryRun: true }), true)).toBe(outcome);
});

test.each<[Partial<Record<StepName, Said>>, string | null]>([
  [{ ...DONE }, null],
  [{ ...READY, backup: "noAnswer", rollback: "ok" }, "backup noAnswer"],
  [{ ...READY, backup: "noAnswer", rollback: "noAnswer" }, "backup noAnswer"],
  [{ ...READY, backup: "noAnswer", rollback: "hostGone" }, "rollback hostGone"],
  [{ ...READY, install: "ok", validate: "unhealthy", rollback: "hostGone" }, "validate unhealthy"],
])("of a host that said %j, what is told is %s", (steps, told) => {
  const failure = firstFailure(seen(steps));

  expect(failure === null ? null : `${failure.step} ${failure.code}`).toBe(told);
});

test.each<[Partial<Record<StepName, Said>>, string | undefined]>([
  [{ ...DONE }, undefined],
  [{ ...DONE, rollback: "ok" }, "its wave was stopped"],
  [{ ...DONE, check: "unhealthy", rollback: "ok" }, undefined],
  [{ ...READY, install: "maintainerScriptFailed, undone", rollback: "ok" }, undefined],
  [{ ...DONE, rollback: "blocked" }, "its wave was stopped, but it did not go back: apt is busy"],
])("why a host that said %j is not new: %s", (steps, why) => {
  const results = seen(steps);

  expect(whyWentBack(results, hostOutcome(results, false))).toBe(why);
});

test("of several attempts the last counts, in whatever order they are read", () => {
  const collection = (attempt: number, what: Said) => ({
    command: "apply" as const,
    attempt,
    commandId: `c${attempt}`,
    results: [{ instanceId: "i-00000001", steps: [said("install", what, { attempt })] }],
  });

  const hosts = byHost([collection(2, "ok"), collection(1, "noAnswer")]);

  expect([...hosts].map(([id, results]) => [id, results.install?.outcome])).toEqual([["i-00000001", "succeeded"]]);
});
