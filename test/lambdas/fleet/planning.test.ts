import { expect, test } from "vitest";
import { DEFAULT_GATES } from "../../../contract/gates.ts";
import { DEFAULT_WAVES, type Host, type WavePolicy } from "../../../contract/run.ts";
import { assessWave } from "../../../lambdas/fleet/assess.ts";
import { allowedFailures } from "../../../lambdas/fleet/budget.ts";
import { CannotResume, remainingOf } from "../../../lambdas/fleet/resume.ts";
import { plainError } from "../../../lambdas/fleet/run-error.ts";
import { takeSnapshot } from "../../../lambdas/fleet/snapshot.ts";
import { planWaves, spreadOverZones } from "../../../lambdas/fleet/waves.ts";
import { said, seen } from "../results.ts";
import { SNAPSHOT } from "../snapshot.ts";

const host = (n: number, zone?: string): Host => ({
  instanceId: `i-${String(n).padStart(8, "0")}`,
  name: `web-${n}`,
  platform: "Debian GNU/Linux 12",
  online: true,
  lastPing: "2026-01-02T03:00:00.000Z",
  ...(zone === undefined ? {} : { zone }),
});

test.each([
  ["1", 1, 1],
  ["1", 50, 1],
  ["3", 2, 2],
  ["10%", 50, 5],
  ["10%", 9, 0],
  [0, 50, 0],
  [0.5, 5, 2],
  [1, 5, 5],
] as const)("a budget of %j lets %i hosts lose %i", (budget, hosts, failures) => {
  expect(allowedFailures(budget, hosts)).toBe(failures);
});

test("canary and steps may be shares in percent, and a proven run has no canary", () => {
  const policy: WavePolicy = { ...DEFAULT_WAVES, canary: "10%", steps: ["50%", 1] };
  const hosts = Array.from({ length: 21 }, (_, index) => host(index + 1));
  const sizes = (proven: boolean) => planWaves(hosts, policy, proven).map((w) => [w.name, w.batches.flat().length]);

  expect(sizes(false)).toEqual([
    ["canary", 3],
    ["wave 1", 9],
    ["wave 2", 9],
  ]);
  expect(sizes(true)).toEqual([
    ["wave 1", 11],
    ["wave 2", 10],
  ]);
});

test("every stretch of hosts holds each zone in its share; within a zone the order stays", () => {
  const hosts = [...[1, 2, 3, 4].map((n) => host(n, "a")), ...[5, 6].map((n) => host(n, "b")), host(7)];

  const order = spreadOverZones(hosts).map(({ name }) => name);

  expect(order).toEqual(["web-1", "web-5", "web-2", "web-7", "web-3", "web-6", "web-4"]);
  expect(spreadOverZones([host(1), host(2)]).map(({ name }) => name)).toEqual(["web-1", "web-2"]);
});

test("whoever names hosts chooses their order; otherwise zones do", () => {
  const hosts = [host(1, "a"), host(2, "a"), host(3, "b")];
  const settings = {
    waves: DEFAULT_WAVES,
    policy: SNAPSHOT.policy,
    gates: { ...DEFAULT_GATES, windowMinutes: 90 },
    fleet: "default",
  };
  const plan = (request: object) =>
    takeSnapshot("run-1", request, settings as never, { hosts, leftOut: [] }, new Date("2026-01-02T03:00:00.000Z"));

  expect(plan({}).waves.flatMap(({ batches }) => batches.flat())).toEqual(["i-00000001", "i-00000003", "i-00000002"]);
  expect(plan({ instanceIds: ["i-00000002"] }).waves[0]?.batches).toEqual([["i-00000001"]]);
  expect([plan({}).windowEndsAt, plan({ windowMinutes: 30 }).windowEndsAt]).toEqual([
    "2026-01-02T04:30:00.000Z",
    "2026-01-02T03:30:00.000Z",
  ]);
});

test("a run stops when it has lost more hosts than it may, though no wave has", () => {
  const wave = SNAPSHOT.waves[1];
  if (wave === undefined) throw new Error("no such wave");
  const ids = wave.batches.flat();
  const ready = { preflight: "ok", download: "ok", verify: "ok", rehearse: "ok", backup: "ok", install: "ok" } as const;
  const back = { ...ready, validate: "unhealthy", rollback: "ok" } as const;
  const done = { ...ready, validate: "ok", commit: "ok" } as const;
  const results = new Map(ids.map((id, index) => [id, seen(index === 0 ? back : done, { instanceId: id })]));
  const judge = (failedBefore: number) =>
    assessWave({ wave, results, names: new Map() }, "apply", {
      errorBudget: "2",
      dryRun: false,
      run: { hosts: 100, failedBefore, errorBudget: "3" },
    });

  expect(judge(2)).toMatchObject({ decision: "continue", failed: 1, allowed: 2 });
  expect(judge(3)).toMatchObject({
    decision: "stop",
    reason: "4 of 100 hosts of the run failed (budget 3): i-00000002 (validate: unhealthy)",
  });
});

test("what is left of a run is neither committed nor without anything to do; its canary need not prove itself again", () => {
  const [one, two, three] = ["i-00000001", "i-00000002", "i-00000003"] as const;
  const answers = (instanceId: string, steps: Parameters<typeof seen>[0]) => ({
    instanceId,
    steps: Object.values(seen(steps, { instanceId })),
  });
  const collections = [
    {
      command: "apply" as const,
      attempt: 1,
      commandId: "c",
      results: [
        answers(one, { backup: "ok", install: "ok", validate: "ok", commit: "ok" }),
        answers(two, { preflight: "ok", download: "nothing" }),
        answers(three, { backup: "ok", install: "noAnswer", rollback: "noAnswer" }),
      ],
    },
  ];
  const through = {
    wave: 0,
    phase: "apply",
    hosts: 1,
    failed: 0,
    allowed: 0,
    decision: "continue",
    reason: "",
  } as const;
  const canary = { apply: through };

  const left = remainingOf(SNAPSHOT, collections, canary, "default");

  expect(left).toEqual({ instanceIds: [three, "i-00000004", "i-00000005"], proven: true });
  expect(remainingOf(SNAPSHOT, [], {}, "default").proven).toBe(false);
  expect(() => remainingOf(SNAPSHOT, collections, canary, "db")).toThrow(
    new CannotResume("run run-1 is of fleet default, this is db: resume it there"),
  );
  const all = SNAPSHOT.hosts.map(({ instanceId }) => ({
    instanceId,
    steps: [said("download", "nothing", { instanceId })],
  }));
  const done = [{ command: "prepare" as const, attempt: 1, commandId: "c", results: all }];
  expect(() => remainingOf(SNAPSHOT, done, canary, "default")).toThrow(/start a new run/);
});

const VERDICT = { wave: 0, hosts: 1, failed: 0, allowed: 0, reason: "" };
const applied = (decision: "continue" | "stop", committed?: "check") => ({
  ...{ ...VERDICT, phase: "apply" as const, decision },
  ...(committed === undefined ? {} : { committed }),
});
const checked = (decision: "continue" | "stop") => ({ ...VERDICT, phase: "check" as const, decision });

test.each([
  ["nothing was judged", {}, false],
  ["it did not get through", { apply: applied("stop") }, false],
  ["it got through, and nobody was to be asked again", { apply: applied("continue") }, true],
  ["it was to be asked after its bake, and was not", { apply: applied("continue", "check") }, false],
  ["it was well after its bake", { apply: applied("continue", "check"), check: checked("continue") }, true],
  ["it was not well after its bake", { apply: applied("continue", "check"), check: checked("stop") }, false],
])("a canary behind a resumed run: %s", (_what, canary, proven) => {
  expect(remainingOf(SNAPSHOT, [], canary, "default").proven).toBe(proven);
});

test("of a Lambda's error its message is told, of any other its cause", () => {
  const json = JSON.stringify({ errorType: "FleetBusy", errorMessage: "held by run-0", trace: [] });
  expect(plainError({ name: "FleetBusy", cause: json })).toEqual({ name: "FleetBusy", cause: "held by run-0" });
  expect(plainError({ name: "States.Timeout", cause: "" })).toEqual({ name: "States.Timeout", cause: "" });
  expect(plainError(null)).toBeNull();
});
