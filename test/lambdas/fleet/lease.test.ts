import { expect, test } from "vitest";
import { FleetBusy, freedLease, leaseSeconds, takeLease } from "../../../lambdas/fleet/lease.ts";
import { SNAPSHOT } from "../snapshot.ts";

const NOW = new Date("2026-01-02T03:00:00.000Z");
const held = (runId: string, until: string) => ({
  fleet: "default",
  runId,
  takenAt: "2026-01-02T02:00:00.000Z",
  until,
});
const ASKED = { fleet: "default", runId: "run-1" };

test("a fleet that nobody holds is taken, from now on", () => {
  expect(takeLease(undefined, ASKED, 600, NOW)).toEqual({
    ...ASKED,
    takenAt: "2026-01-02T03:00:00.000Z",
    until: "2026-01-02T03:10:00.000Z",
  });
});

test("one's own lease is held for longer, one that is over is nobody's, another's is refused by name", () => {
  const later = "2026-01-02T04:00:00.000Z";
  expect(takeLease(held("run-1", later), ASKED, 600, NOW)).toMatchObject({
    takenAt: "2026-01-02T02:00:00.000Z",
    until: "2026-01-02T03:10:00.000Z",
  });
  expect(takeLease(held("run-0", NOW.toISOString()), ASKED, 600, NOW)).toMatchObject({ runId: "run-1" });
  expect(() => takeLease(held("run-0", later), ASKED, 600, NOW)).toThrow(FleetBusy);
  expect(() => takeLease(held("run-0", later), ASKED, 600, NOW)).toThrow(
    "fleet default is being worked on by run run-0, at most until 2026-01-02T04:00:00.000Z",
  );
});

test("only its holder lets go of a lease", () => {
  const later = "2026-01-02T04:00:00.000Z";
  expect(freedLease(held("run-1", later), "run-1", NOW)).toMatchObject({ until: "2026-01-02T03:00:00.000Z" });
  expect(freedLease(held("run-0", later), "run-1", NOW)).toBeNull();
  expect(freedLease(held("run-1", "2026-01-02T02:30:00.000Z"), "run-1", NOW)).toBeNull();
  expect(freedLease(undefined, "run-1", NOW)).toBeNull();
});

test("a lease outlasts the longest phase of the largest wave, and grows with its rounds", () => {
  const sending = {
    maxConcurrency: "50%",
    deliverySeconds: 600,
    slackSeconds: 60,
    lookSeconds: 300,
    restoreSeconds: 0,
  };
  const of = (batchesAtOnce: number, waves = SNAPSHOT.waves) =>
    leaseSeconds({ waves, wavePolicy: { ...SNAPSHOT.wavePolicy, bakeSeconds: 0 } }, { ...sending, batchesAtOnce });
  const large = [{ index: 0, name: "canary", batches: Array(4).fill(Array(50).fill("i-00000001")) }];

  // Two turns of apply (7,500 s), commit and rollback (1,920 s), check and two rollbacks (4,500 s), six deliveries (3,960 s); the
  // promotion, a look and a margin (1,800 s).
  expect(of(20)).toBe(2 * 7_500 + 1_920 + 4_500 + 3_960 + 1_800);
  expect(of(1, large) - 1_800).toBe(4 * (of(4, large) - 1_800));
});
