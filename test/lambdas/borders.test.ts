import { expect, test } from "vitest";
import { KEYS } from "../../contract/names.ts";
import { ALICE, BAKED, BOB, gates, host, NGINX, opensLater, PROD, reported, three } from "./deciding.ts";
import { type FleetRun, type FleetScenario, runFleet, wire } from "./run-fleet.ts";
import { standing } from "./standing.ts";
import { WireError } from "./wire.ts";

/** Borders of a run: before each phase, and between runs. */
const stack = standing();
const run = (scenario: FleetScenario) => runFleet(stack, scenario);
const outcomes = ({ report }: FleetRun) => report?.hosts.map(({ outcome }) => outcome);

test("a freeze ends the run before the next phase, names who froze it, and leaves every host committed or untouched", async () => {
  const ended = await run({
    hosts: three,
    entered: (state, { decide }) =>
      state === "Bake" ? decide(`freeze/default/${ALICE}.json`, "incident 4711") : undefined,
  });

  expect(ended.story).toEqual(BAKED);
  expect([ended.status, ended.error]).toEqual(["FAILED", "RunStopped"]);
  expect(ended.cause).toMatch(
    /^Stopped before wave 1: frozen by AROAEXAMPLE:alice@example\.com at \S+: incident 4711\. 1 of 3 hosts committed, 2 left unchanged\.$/,
  );
  expect(outcomes(ended)).toEqual(["committed", "unchanged", "unchanged"]);
  expect(ended.report?.waves[1]?.verdicts).toMatchObject([
    { before: true, phase: "prepare", decision: "stop", by: ALICE },
  ]);
});

test("a stop that comes while a wave prepares lets nothing of it be changed", async () => {
  const ended = await run({
    hosts: three,
    entered: (state, { decide }) =>
      state === "Prepare" ? decide(`stop/run-1/${BOB}.json`, '{"reason":"wrong day"}') : undefined,
  });

  expect(ended.story).toEqual(["prepare 1"]);
  expect(ended.cause).toBe(
    "Stopped before canary: stopped by AROAEXAMPLE:bob@example.com: wrong day. 3 of 3 hosts left unchanged.",
  );
});

test("a run that was stopped is resumed by another: only its hosts that are not committed, and no canary again", async () => {
  await run({
    hosts: three,
    entered: (state, { decide }) => (state === "Bake" ? decide(`stop/run-1/${BOB}.json`, "lunch") : undefined),
  });

  const ended = await run({ hosts: three, after: "an earlier run", name: "run-2", request: { resume: "run-1" } });

  expect(ended.story).toEqual(["prepare 23", "apply 23", "commit 23"]);
  expect(ended.report).toMatchObject({ outcome: "succeeded", resumes: "run-1", waves: [{ name: "wave 1", hosts: 2 }] });
});

test("without a healthy canary behind it, a resumed run begins with one", async () => {
  await run({
    hosts: three,
    entered: (state, { decide }) => (state === "Prepare" ? decide(`stop/run-1/${BOB}.json`, "") : undefined),
  });

  const ended = await run({ hosts: three, after: "an earlier run", name: "run-2", request: { resume: "run-1" } });

  expect(ended.story).toEqual([...BAKED, "prepare 23", "apply 23", "commit 23"]);
});

test("a canary that was not well after its bake proves nothing: a resumed run begins with another", async () => {
  const unwell = host(1, { check: "unhealthy", rollback: "ok" });
  const stopped = await run({ hosts: [unwell, host(2), host(3)], request: { waves: { errorBudget: 0 } } });
  expect(stopped.story).toEqual([...BAKED, "rollback 1"]);

  const ended = await run({ hosts: three, after: "an earlier run", name: "run-2", request: { resume: "run-1" } });

  expect(ended.story.slice(0, BAKED.length)).toEqual(BAKED);
});

test("what fails after the bake counts against the run too", async () => {
  const unwell = host(2, { check: "unhealthy", rollback: "ok" });
  const fails = host(4, { install: "maintainerScriptFailed, undone", rollback: "nothing" });
  const waves = { canary: 1, steps: [0.5, 1], errorBudget: "100%", runErrorBudget: "1" };
  const ended = await run({ hosts: [host(1), unwell, host(3), fails], request: { waves } });

  expect(ended.cause).toMatch(/2 of 4 hosts of the run failed \(budget 1\)/);
});

test("a closed calendar is waited for, and an open one lets the run go on", async () => {
  let asked = 0;
  const ended = await run({
    hosts: [host(1)],
    settings: gates({ calendars: ["patching"] }),
    before: opensLater(() => ++asked),
  });

  expect([asked, ended.status, outcomes(ended)]).toEqual([3, "SUCCEEDED", ["committed"]]);
});

test("what cannot be asked counts as closed, and patience ends", async () => {
  const ended = await run({
    hosts: [host(1)],
    settings: gates({ alarms: ["api-5xx"], waitMinutes: 0 }),
    before: () =>
      void wire.calls.set("DescribeAlarms", () => {
        throw new WireError("AccessDenied");
      }),
  });

  expect(ended.story).toEqual([]);
  expect(ended.cause).toMatch(
    /^Stopped before canary: alarms could not be asked: AccessDenied: .*; waited 0 min for it\. 1 of 1 host/,
  );
});

test("no phase begins that would not end within the window", async () => {
  const ended = await run({ hosts: three, request: { windowMinutes: 59 } });

  expect(ended.story).toEqual([]);
  expect(ended.cause).toMatch(
    /^Stopped before canary: the maintenance window ends at \S+, and what comes next needs about 61 min\./,
  );
});

test("one run per fleet: a second one asks no host anything and says who has it until when; a lease that is over is nobody's", async () => {
  const lease = (until: Date) => ({
    [KEYS.lease("default")]: {
      fleet: "default",
      runId: "run-0",
      takenAt: new Date().toISOString(),
      until: until.toISOString(),
    },
  });
  const until = new Date(Date.now() + 3_600_000);

  const busy = await run({ hosts: three, objects: lease(until) });

  expect([busy.story, busy.error]).toEqual([[], "RunFailed"]);
  expect(busy.cause).toContain(
    `(FleetBusy: fleet default is being worked on by run run-0, at most until ${until.toISOString()}`,
  );
  expect(wire.json(KEYS.lease("default"))).toMatchObject({ runId: "run-0", until: until.toISOString() });

  const ended = await run({ hosts: [host(1)], objects: lease(new Date(Date.now() - 1_000)) });

  expect(ended.status).toBe("SUCCEEDED");
  const left = wire.json(KEYS.lease("default")) as { runId: string; until: string };
  expect([left.runId, new Date(left.until) <= new Date()]).toEqual(["run-1", true]);
});

test.each(["gate", "assess", "ask-approval", "report", "notify", "plan"])(
  "a defect of %s is reported, or said",
  async (broken) => {
    const asked = broken === "ask-approval" ? { ...reported(1, [NGINX]), settings: PROD } : { hosts: [host(1)] };
    const ended = await run({
      ...asked,
      before: (name) => {
        if (name === broken.replaceAll("-", "")) throw new TypeError("a defect");
      },
    });

    const unreported = broken === "report" || broken === "notify";
    expect([ended.status, ended.error]).toEqual(["FAILED", unreported ? "RunUnreported" : "RunFailed"]);
  },
);
