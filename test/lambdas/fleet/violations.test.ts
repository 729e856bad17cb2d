import { expect, test } from "vitest";
import type { StepName } from "../../../contract/steps.ts";
import { assessWave } from "../../../lambdas/fleet/assess.ts";
import { findByteSplits } from "../../../lambdas/fleet/byte-splits.ts";
import { type PlannedOnHost, violationMetric } from "../../../lambdas/fleet/violations.ts";
import { type Said, seen } from "../results.ts";
import { SNAPSHOT } from "../snapshot.ts";

const names = new Map(SNAPSHOT.hosts.map(({ instanceId, name }) => [instanceId, name]));
const IDS = ["i-00000002", "i-00000003", "i-00000004", "i-00000005"];
const planned = (host: string, digit: string, kind = "bookworm-amd64", version = "2.0"): PlannedOnHost => ({
  host,
  kind,
  entries: [{ name: "alpha", architecture: "amd64", version, sha256: digit.repeat(64) }],
});

/** The verdict on a wave of four with a budget for all of them to fail. */
function verdict(
  steps: Partial<Record<StepName, Said>>,
  plans: readonly PlannedOnHost[] = [],
  phase: "prepare" | "apply" = "prepare",
) {
  const [, wave] = SNAPSHOT.waves;
  if (wave === undefined) throw new Error("no such wave");
  const ok = { preflight: "ok", download: "ok", verify: "ok", rehearse: "ok" } as const;
  const results = new Map(IDS.map((id, at) => [id, seen(at === 1 ? steps : ok, { instanceId: id })]));
  return assessWave({ wave, results, names, plans }, phase, { errorBudget: "100%", dryRun: false });
}

test("the same version with other bytes on one host of a kind stops the wave within every budget", () => {
  const plans = IDS.map((id, at) => planned(id, at === 2 ? "b" : "a"));

  expect(verdict({ preflight: "ok", download: "ok", verify: "ok", rehearse: "ok" }, plans)).toMatchObject({
    decision: "stop",
    violation: true,
    reason:
      "security violation, split view: alpha 2.0 has SHA-256 bbbbbbbbbbbbbbbb… on web-04, aaaaaaaaaaaaaaaa… on web-02, web-03, web-05",
  });
});

test("other versions, and other kinds of hosts, may have other bytes", () => {
  const plans = [
    planned(IDS[0] ?? "", "a"),
    planned(IDS[1] ?? "", "b", "trixie-amd64"),
    planned(IDS[2] ?? "", "c", "bookworm-amd64", "2.1"),
  ];

  expect(verdict({ preflight: "ok", download: "ok", verify: "ok", rehearse: "ok" }, plans).decision).toBe("continue");
  expect(findByteSplits([])).toEqual([]);
});

test.each<[Partial<Record<StepName, Said>>, boolean]>([
  [{ preflight: "ok", download: "ok", verify: "splitView" }, true],
  [{ preflight: "ok", download: "ok", verify: "hashMismatch" }, true],
  [{ preflight: "ok", download: "hashMismatch" }, false],
  [{ preflight: "ok", download: "ok", verify: "metadataStale" }, false],
  [{ preflight: "ok", download: "outsideLock" }, false],
])("a host that says %j is a violation of the fleet's: %s", (steps, expected) => {
  const { decision, violation, reason } = verdict(steps);

  expect([decision, violation ?? false]).toEqual([expected ? "stop" : "continue", expected]);
  if (expected) expect(reason).toMatch(/^security violation, web-03: .* happened$/);
});

test("it is one more for the metric by which the seed's alert goes off", () => {
  expect(violationMetric("web")).toEqual({
    namespace: "AutoPatch/Operations/Security",
    name: "SecurityViolations",
    unit: "Count",
    dimension: { name: "Fleet", value: "web" },
    values: [1],
  });
});
