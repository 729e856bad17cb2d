import { describe, expect, test } from "vitest";
import type { HostResults } from "../../../lambdas/fleet/host-outcome.ts";
import { fleetMetrics } from "../../../lambdas/fleet/metrics.ts";
import { FIGURES, said, seen } from "../results.ts";

const NOW = new Date("2026-01-09T03:00:00.000Z");
const WATCHED = { ...FIGURES, daemonActive: true, lastUpdateAt: "2026-01-02T03:00:00.000Z", diskBytes: 5_000 };
const ASKED = { fleet: "web", dryRun: false, perInstance: false, now: NOW };
const told = (asked: Parameters<typeof fleetMetrics>[0]) =>
  Object.fromEntries(
    fleetMetrics(asked).map(({ namespace, name, unit, dimension, values }) => [
      `${namespace} ${name} ${unit} ${dimension.name}=${dimension.value}`,
      values,
    ]),
  );

/** A host that came so far, and told these figures at its preflight. */
const host = (figures: object, steps: Parameters<typeof seen>[0] = {}): HostResults => {
  const preflight = said("preflight", "ok");
  if (!("data" in preflight)) throw new Error("no data");
  return { ...seen(steps), preflight: { ...preflight, data: { ...preflight.data, figures } } };
};

describe("of the fleet", () => {
  test("each metric has a value of each host that told it; an older agent's are fewer", () => {
    const hosts = new Map([
      ["i-00000001", host(WATCHED)],
      ["i-00000002", host({ ...WATCHED, daemonActive: false, lastUpdateAt: null })],
      ["i-00000003", host(FIGURES)],
      ["i-00000004", {}],
    ]);

    expect(told({ ...ASKED, hosts })).toEqual({
      "AutoPatch/Operations TotalPackages Count Fleet=web": [215, 215, 215],
      "AutoPatch/Operations BackupCount Count Fleet=web": [1, 1, 1],
      "AutoPatch/Operations DiskUsagePercent Percent Fleet=web": [41.5, 41.5, 41.5],
      "AutoPatch/Operations DaemonStatus None Fleet=web": [1, 0],
      "AutoPatch/Operations LastUpdateAgeSeconds Seconds Fleet=web": [604_800, NOW.getTime() / 1000],
      "AutoPatch/Operations DiskUsageBytes Bytes Fleet=web": [5_000, 5_000],
      "AutoPatch/Operations/Security SecurityViolations Count Fleet=web": [0, 0, 0],
    });
  });

  test.each([
    ["committed", { backup: "ok", install: "ok", commit: "ok" }, false, 0],
    ["failed and went back", { backup: "ok", install: "unhealthy, undone", rollback: "nothing" }, false, 604_800],
    ["only planned", { download: "ok", verify: "ok" }, true, 604_800],
  ] as const)("how old the last update of a host that %s is", (_what, steps, dryRun, age) => {
    const hosts = new Map([["i-00000001", { ...host(WATCHED, steps) }]]);

    const { values } = fleetMetrics({ ...ASKED, dryRun, hosts }).find(
      ({ name }) => name === "LastUpdateAgeSeconds",
    ) ?? {
      values: [],
    };

    expect(values).toEqual([age]);
  });

  test("a host that has nothing to do tells its figures too, and is up to date", () => {
    const preflight = { ...said("preflight", "nothing"), figures: WATCHED };

    const found = told({ ...ASKED, hosts: new Map([["i-00000001", { preflight }]]) });

    expect(found["AutoPatch/Operations DaemonStatus None Fleet=web"]).toEqual([1]);
    expect(found["AutoPatch/Operations LastUpdateAgeSeconds Seconds Fleet=web"]).toEqual([0]);
  });

  test("without any figures there is no metric", () => {
    expect(fleetMetrics({ ...ASKED, hosts: new Map([["i-00000001", {}]]) })).toEqual([]);
  });
});

test("where it is wanted, each host's values go out under its own id beside the fleet's", () => {
  const hosts = new Map([
    ["i-00000001", host(WATCHED)],
    ["i-00000002", host(FIGURES)],
  ]);

  const all = told({ ...ASKED, perInstance: true, hosts });

  expect(all["AutoPatch/Operations TotalPackages Count Fleet=web"]).toEqual([215, 215]);
  expect(Object.entries(all).filter(([key]) => key.includes("InstanceId=i-00000002"))).toEqual([
    ["AutoPatch/Operations TotalPackages Count InstanceId=i-00000002", [215]],
    ["AutoPatch/Operations BackupCount Count InstanceId=i-00000002", [1]],
    ["AutoPatch/Operations DiskUsagePercent Percent InstanceId=i-00000002", [41.5]],
    ["AutoPatch/Operations/Security SecurityViolations Count InstanceId=i-00000002", [0]],
  ]);
  expect(Object.keys(all)).toHaveLength(7 + 7 + 4);
});
