import { expect, test } from "vitest";
import { advance, isOver, reasonToGoBack, type TrialClock } from "../../../agent/patch/trial-clock.ts";

const START: TrialClock = { runId: "run-1", seconds: 60, elapsedMs: 0, bootId: "a", uptimeMs: 5_000, boots: 0 };

test("time on trial is what the host was up, by the clock that nobody sets", () => {
  const later = advance(START, { bootId: "a", uptimeMs: 35_000 });
  const rebooted = advance(later, { bootId: "b", uptimeMs: 2_000 });
  const end = advance(rebooted, { bootId: "b", uptimeMs: 31_999 });
  const over = advance(end, { bootId: "b", uptimeMs: 32_000 });

  expect(later).toEqual({ ...START, elapsedMs: 30_000, uptimeMs: 35_000 });
  expect(rebooted).toEqual({ ...START, elapsedMs: 30_000, bootId: "b", uptimeMs: 2_000, boots: 1 });
  expect([end, over].map(isOver)).toEqual([false, true]);
  // A clock that goes backwards, as no boot clock does, takes nothing away.
  expect(advance(over, { bootId: "b", uptimeMs: 0 }).elapsedMs).toBe(60_000);
});

test("the watchdog acts only when a commit would be refused already", () => {
  const at = (elapsedMs: number) => ({ ...START, elapsedMs });

  expect(isOver(at(59_999))).toBe(false);
  expect(reasonToGoBack(at(60_000))).toBeNull();
  expect(isOver(at(60_000))).toBe(true);
  expect(reasonToGoBack(at(69_999))).toBeNull();
  expect(reasonToGoBack(at(70_000))).toBe("nobody committed it within 60 s");
});

test("a host that boots again and again during its trial goes back, however short it lives", () => {
  let clock = START;
  const boots = ["b", "c", "d", "e"].map((bootId) => {
    clock = advance(clock, { bootId, uptimeMs: 1_000 });
    return clock;
  });

  expect(boots.map(reasonToGoBack)).toEqual([null, null, null, "it booted 4 times during its trial"]);
});
