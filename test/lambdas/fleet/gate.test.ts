import { expect, test } from "vitest";
import type { Decision } from "../../../contract/decisions.ts";
import { DEFAULT_GATES, type GatePolicy } from "../../../contract/gates.ts";
import { estimateSeconds, turnsOf } from "../../../lambdas/fleet/estimate.ts";
import { type GateFacts, judgeGate } from "../../../lambdas/fleet/gate.ts";
import { said } from "../results.ts";

const NOW = new Date("2026-01-02T03:00:00.000Z");
const minutesAgo = (minutes: number) => new Date(NOW.getTime() - minutes * 60_000);
const OPEN: GateFacts = {
  stops: { answer: [] },
  freezes: { answer: [] },
  calendar: { answer: { state: "OPEN", nextTransition: null } },
  alarms: { answer: [{ name: "api-5xx", state: "OK" }] },
  windowEndsAt: null,
  neededSeconds: 0,
};
const word = (by: string, reason = ""): Decision => ({ by, at: "2026-01-02T02:59:00.000Z", decision: null, reason });
const CLOSED = { answer: { state: "CLOSED", nextTransition: "2026-01-02T06:00:00Z" } };

test.each<[string, Partial<GateFacts>, Partial<GatePolicy>, number, string, string, string | null]>([
  ["nothing against it", {}, {}, 0, "open", "nothing stands against it", null],
  ["a stop", { stops: { answer: [word("A:b", "lunch")] } }, {}, 0, "stop", "stopped by A:b: lunch", "A:b"],
  [
    "a freeze, though everything else could be waited for",
    { freezes: { answer: [word("A:b")] }, calendar: CLOSED },
    {},
    0,
    "stop",
    "frozen by A:b at 2026-01-02T02:59:00.000Z",
    "A:b",
  ],
  [
    "a closed calendar",
    { calendar: CLOSED },
    {},
    0,
    "wait",
    "a change calendar is CLOSED until 2026-01-02T06:00:00Z",
    null,
  ],
  [
    "a closed calendar where nobody waits",
    { calendar: CLOSED },
    { whenClosed: "stop" },
    0,
    "stop",
    "a change calendar is CLOSED until 2026-01-02T06:00:00Z",
    null,
  ],
  [
    "alarms, one of them gone",
    {
      alarms: {
        answer: [
          { name: "a", state: "ALARM" },
          { name: "b", state: null },
          { name: "c", state: "INSUFFICIENT_DATA" },
        ],
      },
    },
    {},
    239,
    "wait",
    "not in OK: a (ALARM), b (no such alarm), c (INSUFFICIENT_DATA)",
    null,
  ],
  [
    "an alarm for too long",
    { alarms: { answer: [{ name: "a", state: "ALARM" }] } },
    {},
    240,
    "stop",
    "not in OK: a (ALARM); waited 240 min for it",
    null,
  ],
  [
    "a freeze switch that cannot be asked",
    { freezes: { unasked: "AccessDenied: no" } },
    {},
    0,
    "wait",
    "the freeze switch could not be asked: AccessDenied: no",
    null,
  ],
  [
    "enough window",
    { windowEndsAt: new Date("2026-01-02T03:10:00.000Z"), neededSeconds: 600 },
    {},
    0,
    "open",
    "nothing stands against it",
    null,
  ],
  [
    "too little window",
    { windowEndsAt: new Date("2026-01-02T03:10:00.000Z"), neededSeconds: 601 },
    {},
    0,
    "stop",
    "the maintenance window ends at 2026-01-02T03:10:00.000Z, and what comes next needs about 11 min",
    null,
  ],
])("%s", (_name, facts, policy, waited, verdict, reason, by) => {
  const judged = judgeGate({ ...OPEN, ...facts }, { ...DEFAULT_GATES, ...policy }, minutesAgo(waited), NOW);

  expect(judged).toEqual({ verdict, reason, by });
});

test.each([
  [1, "50%", 1],
  [50, "50%", 2],
  [3, "50%", 3],
  [50, "10", 5],
  [4, "100%", 1],
])("%i hosts at %s take %i turns", (hosts, concurrency, turns) => {
  expect(turnsOf(hosts, concurrency)).toBe(turns);
});

test("what a wave needs follows the longest chain that a host has shown, its turns and its rounds", () => {
  const wave = { index: 1, name: "wave 1", batches: [Array(50).fill("i-00000002"), ["i-00000003"], ["i-00000004"]] };
  const policy = { waveMinutes: 60, maxConcurrency: "50%", batchesAtOnce: 2 };
  const step = (name: "download" | "install", instanceId: string, durationMs: number) => ({
    instanceId,
    steps: [{ ...said(name, "ok", { instanceId }), durationMs }],
  });
  const prepared = {
    command: "prepare" as const,
    attempt: 1,
    commandId: "c-1",
    results: [step("download", "i-00000001", 30_000), step("download", "i-00000009", 90_000)],
  };

  // Two turns of the largest batch, two rounds of the batches. Before anything was seen, half an hour a phase.
  expect(estimateSeconds(["prepare", "apply"], wave, [], policy)).toBe(4 * 3_600);
  expect(estimateSeconds(["prepare"], wave, [prepared], policy)).toBe(4 * 90);
  expect(estimateSeconds(["prepare", "apply"], wave, [prepared], policy)).toBe(4 * (90 + 1_800));
});
