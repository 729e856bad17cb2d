import { expect, test } from "vitest";
import { type Lock, lockDigest } from "../../../contract/lock.ts";
import { KEYS } from "../../../contract/names.ts";
import type { StepReport } from "../../../contract/step-report.ts";
import type { StepName } from "../../../contract/steps.ts";
import { committedCanaries } from "../../../lambdas/fleet/canary-locks.ts";
import type { HostResults } from "../../../lambdas/fleet/host-outcome.ts";
import { type Said, said, seen } from "../results.ts";

const ID = "i-00000001";
const USER = `AROA:${ID}`;
const KEY = KEYS.hostReport(USER, "run-1", "download", 1);
const LOCK: Lock = {
  release: "bookworm",
  architecture: "amd64",
  entries: [
    {
      name: "alpha",
      architecture: "amd64",
      version: "2.0",
      from: "1.0",
      sha256: "a".repeat(64),
      size: 7,
      file: "alpha_2.0_amd64.deb",
    },
  ],
  removals: [],
};
const PLAN: NonNullable<StepReport["plan"]> = {
  packages: LOCK.entries.map((one) => ({
    ...one,
    origin: "test",
    security: false,
    critical: false,
    cves: null,
    cvesIncomplete: false,
  })),
  removals: [],
  leftOut: [],
  downloadBytes: 7,
  installedBytes: 0,
};
const COMMITTED: Partial<Record<StepName, Said>> = {
  preflight: "ok",
  verify: "ok",
  backup: "ok",
  validate: "ok",
  commit: "ok",
};

/** A canary that ended so, and installed a lock of this digest. */
function canary(steps: Partial<Record<StepName, Said>>, installed: string, plan: StepReport["plan"] | null) {
  const download = said("download", "ok", { instanceId: ID, reportKey: KEY });
  const install = said("install", "ok", { instanceId: ID });
  const results: HostResults = {
    ...seen(steps, { instanceId: ID }),
    download,
    install: {
      ...install,
      data: { ...("data" in install ? install.data : {}), lockDigest: installed },
    } as typeof install,
  };
  return committedCanaries({
    wave: { batches: [[ID, "i-00000002"]] },
    results: new Map([[ID, results]]),
    reports: new Map(
      plan === null ? [] : [[KEY, { result: download, ...(plan === undefined ? {} : { plan }), timings: [] }]],
    ),
    names: new Map([[ID, "canary-01"]]),
  });
}
const WHO = { name: "canary-01", release: "bookworm", architecture: "amd64" };

test("a committed canary's lock is what its report says, when that is what it installed", () => {
  expect(canary(COMMITTED, lockDigest(LOCK), PLAN)).toEqual([{ ...WHO, lock: LOCK, userId: USER }]);
});

test("a report that tells another lock than was installed counts for nothing", () => {
  const [told] = canary(COMMITTED, "f".repeat(64), PLAN);

  expect(told?.lock).toBe(`its report tells another lock than ${"f".repeat(64)}, which it installed`);
});

test.each<[string, StepReport["plan"] | null]>([
  ["no report", null],
  ["a report without a plan", undefined],
])("a canary with %s is told so, and offers nothing", (_what, plan) => {
  expect(canary(COMMITTED, lockDigest(LOCK), plan)).toEqual([
    { ...WHO, lock: "its report of what it downloaded is not there", userId: null },
  ]);
});

test.each<[string, Partial<Record<StepName, Said>>]>([
  ["went back", { ...COMMITTED, validate: "unhealthy", rollback: "ok" }],
  ["is in doubt", { ...COMMITTED, commit: "noAnswer" }],
  ["never got so far", { preflight: "ok" }],
])("a canary that %s proves nothing", (_what, steps) => {
  expect(canary(steps, lockDigest(LOCK), PLAN)).toEqual([]);
});
