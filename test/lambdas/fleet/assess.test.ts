import { expect, test } from "vitest";
import type { Phase, StepName } from "../../../contract/steps.ts";
import { applyItems, assessWave } from "../../../lambdas/fleet/assess.ts";
import { type Said, seen } from "../results.ts";
import { SNAPSHOT } from "../snapshot.ts";

type Steps = Partial<Record<StepName, Said>>;
const READY: Steps = { preflight: "ok", download: "ok", verify: "ok", rehearse: "ok" };
const DONE: Steps = { ...READY, backup: "ok", install: "ok", validate: "ok", commit: "ok" };
const BACK: Steps = { ...READY, backup: "ok", install: "ok", validate: "unhealthy", rollback: "ok" };

function assess(index: 0 | 1, phase: Phase, hosts: readonly Steps[], errorBudget = 0.5) {
  const wave = SNAPSHOT.waves[index];
  if (wave === undefined) throw new Error("no such wave");
  const ids = wave.batches.flat();
  const results = new Map(hosts.map((steps, at) => [ids[at] ?? "", seen(steps, { instanceId: ids[at] ?? "" })]));
  const names = new Map(SNAPSHOT.hosts.map(({ instanceId, name }) => [instanceId, name]));
  const wholeWave = { wave, results, names };
  return {
    verdict: assessWave(wholeWave, phase, { errorBudget, dryRun: false }),
    items: applyItems("run-1", wholeWave),
  };
}

test.each<[string, 0 | 1, Phase, readonly Steps[], number, "continue" | "stop", string]>([
  ["a canary prepared", 0, "prepare", [READY], 0, "continue", "1 of 1 host got through"],
  ["a canary committed", 0, "apply", [DONE], 0, "continue", "1 of 1 host got through"],
  [
    "a canary with nothing to do",
    0,
    "prepare",
    [{ preflight: "ok", download: "nothing" }],
    0,
    "continue",
    "0 of 1 host got through, 1 had nothing to do",
  ],
  [
    "a canary blocked",
    0,
    "prepare",
    [{ preflight: "blocked" }],
    0,
    "stop",
    "no canary got through (1 blocked, 0 failed): nothing is proven",
  ],
  ["a canary back", 0, "apply", [BACK], 0.5, "stop", "1 of 1 host failed (budget 0): canary-01 (validate: unhealthy)"],
  [
    "a canary never seen",
    0,
    "prepare",
    [],
    0.5,
    "stop",
    "1 of 1 host failed (budget 0): canary-01 (no answer was seen)",
  ],
  [
    "every canary failing, all allowed to",
    0,
    "apply",
    [BACK],
    1,
    "stop",
    "no canary got through (0 blocked, 1 failed): nothing is proven",
  ],
  [
    "half a wave back",
    1,
    "apply",
    [DONE, BACK, BACK, DONE],
    0.5,
    "continue",
    "2 of 4 hosts got through, 2 failed (budget 2)",
  ],
  [
    "more than half",
    1,
    "apply",
    [DONE, BACK, BACK, BACK],
    0.5,
    "stop",
    "3 of 4 hosts failed (budget 2): web-03 (validate: unhealthy), web-04 (validate: unhealthy), web-05 (validate: unhealthy)",
  ],
  [
    "failures of both phases against one budget",
    1,
    "apply",
    [{ preflight: "diskTooFull" }, BACK, DONE, DONE],
    0.25,
    "stop",
    "2 of 4 hosts failed (budget 1): web-02 (preflight: diskTooFull), web-03 (validate: unhealthy)",
  ],
  [
    "a wave all blocked",
    1,
    "prepare",
    [{ preflight: "blocked" }, { preflight: "blocked" }, { preflight: "blocked" }, { preflight: "blocked" }],
    0,
    "continue",
    "0 of 4 hosts got through, 4 blocked",
  ],
  [
    "a host not seen",
    1,
    "prepare",
    [READY, READY, READY],
    0,
    "stop",
    "1 of 4 hosts failed (budget 0): web-05 (no answer was seen)",
  ],
])("%s", (_name, index, phase, hosts, budget, decision, reason) => {
  const { verdict } = assess(index, phase, hosts, budget);

  expect({ decision: verdict.decision, reason: verdict.reason, wave: verdict.wave, phase: verdict.phase }).toEqual({
    decision,
    reason,
    wave: index,
    phase,
  });
});

test("only hosts that passed their rehearsal are applied to", () => {
  const { items } = assess(1, "prepare", [
    READY,
    { ...READY, rehearse: "rehearsalFailed" },
    { preflight: "ok", download: "nothing" },
    READY,
  ]);

  expect(items).toEqual([{ runId: "run-1", wave: 1, batch: 0, instanceIds: ["i-00000002", "i-00000005"] }]);
});
