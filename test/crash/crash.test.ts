import { afterAll, beforeAll, expect, test } from "vitest";
import { type Bench, openBench } from "../agent/bench.ts";
import { PHASES, planRound } from "./plan.ts";
import { type CrashHost, openCrashHost, type Round } from "./rounds.ts";

let bench: Bench;
let host: CrashHost;
beforeAll(async () => {
  bench = await openBench();
  host = await openCrashHost(bench);
});
afterAll(() => bench.close());

const SEED = 11;

test("killed in ten random moments of backup, install and rollback, the host is exactly old or exactly new", {
  timeout: 300_000,
}, async () => {
  const rounds: Round[] = [];
  for (let number = 1; number <= 10; number++) rounds.push(await host.round(SEED, number));

  expect(rounds.flatMap(({ number, wrong }) => wrong.map((why) => `round ${number}: ${why}`))).toEqual([]);
  expect(rounds.filter(({ state }) => state === "neither")).toEqual([]);
  // Rounds in which nothing was alive to be struck would prove nothing.
  expect(rounds.filter(({ died }) => died.length > 0).length).toBeGreaterThanOrEqual(5);
});

test("a seed's rounds are the same each time, others for another seed, and cover every phase, blow and recovery", () => {
  const rounds = (seed: number) => Array.from({ length: 200 }, (_, i) => planRound(seed, i + 1));
  expect(rounds(3)).toEqual(rounds(3));
  expect(rounds(3)).not.toEqual(rounds(4));
  expect(new Set(rounds(3).map(({ phase }) => phase))).toEqual(new Set(PHASES));
  expect(new Set(rounds(3).map(({ blow }) => blow))).toEqual(new Set(["tree", "agent", "child", "power"]));
  expect(new Set(rounds(3).map(({ recovery }) => recovery))).toEqual(new Set(["again", "rollback", "preflight"]));
  expect(rounds(3).every(({ moment }) => moment >= 0 && moment < 1)).toBe(true);
});
