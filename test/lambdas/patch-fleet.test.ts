import { expect, test, vi } from "vitest";
import type { FakeHost } from "./hosts.ts";
import { type Events, runFleet } from "./run-fleet.ts";
import { standing } from "./standing.ts";

const stack = standing();

type Says = FakeHost["says"];
const host = (n: number, says: Says = {}): FakeHost => ({
  instanceId: `i-0000000${n}`,
  name: `web-0${n}`,
  says: says ?? {},
});
const five = (over: Record<number, Says> = {}) => [1, 2, 3, 4, 5].map((n) => host(n, over[n]));
const outcomes = (run: Awaited<ReturnType<typeof runFleet>>) => run.report?.hosts.map(({ outcome }) => outcome);

const CANARY = ["prepare 1", "apply 1", "commit 1", "check 1"];
const REST = ["prepare 2345", "apply 2345", "commit 2345"];

test.each<Events>(["once", "twice", "lost", "early"])("a fleet is patched when events come %s", async (events) => {
  const run = await runFleet(stack, { hosts: five(), events });

  expect({ status: run.status, outcome: run.report?.outcome, story: run.story }).toEqual({
    status: "SUCCEEDED",
    outcome: "succeeded",
    story: [...CANARY, ...REST],
  });
  expect(run.report?.sentence).toBe("5 of 5 hosts committed.");
  // Each command's token was answered once its end was seen: by its event, else by the look when the wait's slice was over.
  const answers = run.wire.log.filter((call) => call === "SendTaskSuccess").length;
  expect(answers).toBeGreaterThanOrEqual(7);
});

test("a batch of fifty hosts costs six calls of Systems Manager and eight transitions; its check after the bake two and four", async () => {
  const hosts = Array.from({ length: 51 }, (_, n) => ({
    ...host(1),
    instanceId: `i-${String(n + 1).padStart(8, "0")}`,
  }));
  const run = await runFleet(stack, { hosts, request: { waves: { steps: [1] } } });

  const calls = (name: string) => run.wire.log.filter((call) => call === name).length;
  expect(run.report?.sentence).toBe("51 of 51 hosts committed.");
  // Two batches: the canary's, which bakes and is checked, and that of the fifty.
  expect(["SendCommand", "ListCommandInvocations", "GetCommandInvocation"].map(calls)).toEqual([7, 7, 0]);
  expect([run.transitions["run-1-w1-b0-prepare"], run.transitions["run-1-w1-b0-apply"]]).toEqual([2, 6]);
  expect(run.transitions["run-1-w0-b0-check"]).toBe(4);
});

test("hosts that fail are put back, within the budget the rest is committed, and the report says which", async () => {
  const failing: Says = { install: "maintainerScriptFailed, undone", rollback: "nothing" };
  const unhealthy: Says = { validate: "unhealthy", rollback: "ok" };

  const run = await runFleet(stack, { hosts: five({ 3: failing, 4: unhealthy }) });

  expect(run.story.slice(CANARY.length)).toEqual(["prepare 2345", "apply 2345", "commit 25", "rollback 34"]);
  expect([run.status, run.report?.outcome, outcomes(run)]).toEqual([
    "SUCCEEDED",
    "partial",
    ["committed", "committed", "rolledBack", "rolledBack", "committed"],
  ]);
  expect(run.report?.hosts[2]?.failure).toEqual({
    step: "install",
    code: "maintainerScriptFailed",
    message: "maintainerScriptFailed happened",
  });
  expect(run.report?.waves[1]?.verdicts.map(({ phase, decision, reason }) => [phase, decision, reason])).toEqual([
    ["prepare", "continue", "4 of 4 hosts got through"],
    ["apply", "continue", "2 of 4 hosts got through, 2 failed (budget 2)"],
  ]);
  expect(run.published.map(({ Subject }) => Subject)).toEqual([
    "AutoPatch default partial: 3 of 5 hosts committed, 2 rolled back.",
  ]);
});

test("a canary that fails stops the run: the others are never asked anything", async () => {
  const run = await runFleet(stack, { hosts: five({ 1: { validate: "unhealthy", rollback: "ok" } }) });

  expect(run.story).toEqual(["prepare 1", "apply 1", "rollback 1"]);
  expect([run.status, run.error, run.cause]).toEqual([
    "FAILED",
    "RunStopped",
    "Stopped after canary: 1 of 1 host failed (budget 0). 1 of 5 hosts rolled back, 4 left unchanged.",
  ]);
  expect(outcomes(run)).toEqual(["rolledBack", "unchanged", "unchanged", "unchanged", "unchanged"]);
  expect(run.published).toHaveLength(1);
});

test("a host that prepares badly is not applied to, and one with nothing to do leaves quietly", async () => {
  const run = await runFleet(stack, { hosts: five({ 2: { preflight: "diskTooFull" }, 5: { download: "nothing" } }) });

  expect(run.story.slice(CANARY.length)).toEqual(["prepare 2345", "apply 34", "commit 34"]);
  expect(outcomes(run)).toEqual(["committed", "unchanged", "committed", "committed", "nothingToDo"]);
});

test("a host whose change fails in its rehearsal never enters the window, and counts against the budget", async () => {
  const run = await runFleet(stack, { hosts: five({ 3: { rehearse: "maintainerScriptFailed" } }) });

  expect(run.story.slice(CANARY.length)).toEqual(["prepare 2345", "apply 245", "commit 245"]);
  expect(outcomes(run)).toEqual(["committed", "committed", "unchanged", "committed", "committed"]);
  expect(run.report?.hosts[2]?.failure).toMatchObject({ step: "rehearse", code: "maintainerScriptFailed" });
  expect(run.report?.waves[1]?.verdicts.map(({ phase, decision, reason }) => [phase, decision, reason])).toEqual([
    ["prepare", "continue", "3 of 4 hosts got through, 1 failed (budget 2)"],
    ["apply", "continue", "3 of 4 hosts got through, 1 failed (budget 2)"],
  ]);
});

test("a host that cannot be reached for one command costs only itself", async () => {
  const run = await runFleet(stack, { hosts: five({ 3: { backup: "offline" } }) });

  expect(run.story.slice(CANARY.length + 1)).toEqual(["apply 245", "commit 245"]);
  expect(run.report?.hosts[2]).toMatchObject({
    // It never got the command, so it is as it was.
    outcome: "unchanged",
    failure: { step: "backup", code: "undeliverable" },
  });
});

test("a host that cannot be reached to commit goes back", async () => {
  const run = await runFleet(stack, { hosts: five({ 3: { commit: "offline", rollback: "ok" } }) });

  expect(run.story.slice(CANARY.length + 1)).toEqual(["apply 2345", "commit 245", "rollback 3"]);
  expect(run.report?.hosts[2]).toMatchObject({
    outcome: "rolledBack",
    failure: { step: "commit", code: "undeliverable" },
  });
});

test("a host that never answers is waited for until the deadline, then counts as unseen", async () => {
  let looks = 0;
  vi.useFakeTimers({ toFake: ["Date"] });

  const run = await runFleet(stack, {
    hosts: five({ 4: { install: "silent" } }),
    before: (name, { command, item }) => {
      const waiting = name === "dispatch" && command === "apply" && (item as { wave: number }).wave === 1;
      if (waiting && ++looks === 4) vi.setSystemTime(Date.now() + 6 * 3_600_000);
    },
  });
  vi.useRealTimers();

  expect(looks).toBe(4);
  expect(run.report?.hosts[3]).toMatchObject({ outcome: "inDoubt", failure: { step: "backup", code: "noAnswer" } });
  expect(run.story.slice(-3)).toEqual(["apply 2345", "commit 235", "rollback 4"]);
  expect(outcomes(run)).toEqual(["committed", "committed", "committed", "inDoubt", "committed"]);
});

test("when the machinery breaks in mid-apply, every host on its way is asked to go back before the batch fails", async () => {
  const broken = (name: string, payload: Readonly<Record<string, unknown>>) => {
    if (name === "dispatch" && payload.command === "commit" && (payload.instanceIds as string[]).length > 1)
      throw new TypeError("a defect");
  };
  const says: Says = { rollback: "ok" };

  const run = await runFleet(stack, { hosts: five({ 2: says, 3: says, 4: says, 5: says }), before: broken });

  expect(run.story.slice(CANARY.length + 1)).toEqual(["apply 2345", "rollback 2345"]);
  expect([run.status, run.error]).toEqual(["FAILED", "RunStopped"]);
  expect(outcomes(run)).toEqual(["committed", "rolledBack", "rolledBack", "rolledBack", "rolledBack"]);
});

test("when the machinery breaks while it prepares, nothing is applied and the run says so", async () => {
  const run = await runFleet(stack, {
    hosts: five(),
    before: (name) => {
      if (name === "dispatch") throw new TypeError("a defect");
    },
  });

  expect(run.story).toEqual([]);
  expect([run.status, run.error, outcomes(run)]).toEqual(["FAILED", "RunStopped", Array(5).fill("unchanged")]);
});

test("trouble that passes is tried again", async () => {
  let thrown = 0;
  const run = await runFleet(stack, {
    hosts: [host(1)],
    before: (name) => {
      if (name !== "dispatch" || thrown === 2) return;
      thrown++;
      throw Object.assign(new Error("slow down"), { name: "ThrottlingException" });
    },
  });

  expect([thrown, run.status, outcomes(run)]).toEqual([2, "SUCCEEDED", ["committed"]]);
});

test("a run that cannot be planned is reported as broken", async () => {
  const run = await runFleet(stack, { hosts: five(), request: { instanceIds: ["web-01"] } });

  expect([run.status, run.error]).toEqual(["FAILED", "RunFailed"]);
  expect(run.cause).toMatch(/^The run itself broke \(ContractError: .*an EC2 or managed instance id/s);
  expect(run.report).toMatchObject({ runId: "run-1", outcome: "failed", hosts: [], waves: [] });
  expect(run.published).toHaveLength(1);
});

test("a run that cannot be reported does not look like one that went well", async () => {
  const run = await runFleet(stack, {
    hosts: [host(1)],
    before: (name) => {
      if (name === "notify") throw new TypeError("no topic");
    },
  });

  expect([run.status, run.error, run.cause]).toEqual([
    "FAILED",
    "RunUnreported",
    'TypeError: {"errorType":"TypeError","errorMessage":"no topic"}',
  ]);
});

test("without eligible hosts nothing is sent, and that is no success", async () => {
  const run = await runFleet(stack, { hosts: [{ ...host(1), online: false }] });

  expect([run.status, run.story, run.report?.outcome, run.report?.sentence]).toEqual([
    "SUCCEEDED",
    [],
    "partial",
    "No host was eligible: 1 left out.",
  ]);
  expect(run.published[0]?.Message).toContain("Left out: web-01: offline: its SSM agent last answered at");
});

test("a dry run goes the same way, does not bake, and plans", async () => {
  const run = await runFleet(stack, { hosts: five(), request: { dryRun: true } });

  // Nothing was committed that could be checked.
  expect(run.story).toEqual([...CANARY.slice(0, 3), ...REST]);
  expect([run.report?.dryRun, run.report?.outcome, outcomes(run), run.report?.sentence]).toEqual([
    true,
    "succeeded",
    Array(5).fill("planned"),
    "Dry run: 5 of 5 hosts planned.",
  ]);
});

test("the fleet's metrics go out under the seed's names", async () => {
  const run = await runFleet(stack, { hosts: [host(1), host(2)] });

  const told = (
    run.metrics as { Namespace: string; MetricData: { MetricName: string; Values: number[]; Dimensions: unknown }[] }[]
  ).flatMap(({ Namespace, MetricData }) =>
    MetricData.map(({ MetricName, Values, Dimensions }) => [Namespace, MetricName, Values, Dimensions]),
  );
  const dimension = [{ Name: "Fleet", Value: "default" }];
  expect(told).toEqual([
    ["AutoPatch/Operations", "TotalPackages", [216, 216], dimension],
    ["AutoPatch/Operations", "BackupCount", [1, 1], dimension],
    ["AutoPatch/Operations", "DiskUsagePercent", [41.5, 41.5], dimension],
    ["AutoPatch/Operations", "LastUpdateAgeSeconds", [0, 0], dimension],
    ["AutoPatch/Operations/Security", "SecurityViolations", [0, 0], dimension],
  ]);
});
