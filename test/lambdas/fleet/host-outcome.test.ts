import { expect, test } from "vitest";
import type { HostOutcome } from "../../../contract/run.ts";
import type { StepName } from "../../../contract/steps.ts";
import { byHost, hostOutcome } from "../../../lambdas/fleet/host-outcome.ts";
import { type Said, said, seen } from "../results.ts";

const READY = { preflight: "ok", download: "ok", verify: "ok", backup: "ok" } as const;

test.each<[Partial<Record<StepName, Said>>, HostOutcome]>([
  [{}, "unchanged"],
  [{ preflight: "diskTooFull" }, "unchanged"],
  [{ preflight: "ok", download: "nothing" }, "nothingToDo"],
  [{ preflight: "blocked" }, "blocked"],
  [{ ...READY, backup: "backupFailed" }, "unchanged"],
  [{ ...READY, backup: "noAnswer" }, "unchanged"],
  [{ ...READY }, "inDoubt"],
  [{ ...READY, install: "ok", validate: "ok", commit: "ok" }, "committed"],
  [{ ...READY, install: "reboot", validate: "ok", commit: "ok" }, "committed"],
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

test("of several attempts the last counts, in whatever order they are read", () => {
  const collection = (attempt: number, what: Said) => ({
    step: "install" as const,
    attempt,
    commandId: `c${attempt}`,
    results: [{ instanceId: "i-00000001", result: said("install", what, { attempt }) }],
  });

  const hosts = byHost([collection(2, "ok"), collection(1, "noAnswer")]);

  expect([...hosts].map(([id, results]) => [id, results.install?.outcome])).toEqual([["i-00000001", "succeeded"]]);
});
