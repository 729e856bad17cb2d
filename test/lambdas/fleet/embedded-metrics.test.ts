import { describe, expect, test } from "vitest";
import * as z from "zod";
import { embeddedMetrics } from "../../../lambdas/fleet/embedded-metrics.ts";
import { phaseTimings, stepTimings } from "../../../lambdas/fleet/phase-timings.ts";
import { NOW, REPORT } from "./report-sample.ts";

const LINES = embeddedMetrics(REPORT, NOW);

const name = z.string().min(1).max(255);
/** What CloudWatch's specification of the format says of a line by itself. */
const Line = z.looseObject({
  _aws: z.strictObject({
    Timestamp: z.int().positive(),
    CloudWatchMetrics: z
      .array(
        z.strictObject({
          Namespace: name,
          Dimensions: z.array(z.array(name).max(9)).min(1),
          Metrics: z
            .array(z.strictObject({ Name: name, Unit: z.enum(["Seconds", "Count", "Bytes", "Percent", "None"]) }))
            .min(1)
            .max(100),
        }),
      )
      .min(1),
  }),
});

describe("every line is in the embedded metric format", () => {
  test.each(LINES.map((line) => [JSON.stringify(line).slice(100), line]))("%s", (_text, line) => {
    const { _aws, ...members } = Line.parse(line);

    for (const { Dimensions, Metrics } of _aws.CloudWatchMetrics) {
      // Names refer to members of the line itself: texts for dimensions, numbers for metrics.
      expect(Dimensions.flat().map((one) => z.string().min(1).max(1_024).safeParse(members[one]).success)).toEqual(
        Dimensions.flat().map(() => true),
      );
      expect(Metrics.map(({ Name }) => Number.isFinite(members[Name]))).toEqual(Metrics.map(() => true));
    }
    expect(JSON.stringify(line)).not.toContain("\n");
    expect(JSON.stringify(line).length).toBeLessThan(262_144);
  });
});

test("a run tells its length, its outcomes, its phases wave by wave and its steps over all hosts", () => {
  const told = LINES.map(({ _aws, Fleet: _fleet, runId: _run, ...rest }) => rest);

  expect(new Set(LINES.map(({ Fleet, runId }) => `${Fleet} ${runId}`))).toEqual(new Set(["default run-1"]));
  expect(told.slice(0, 4)).toEqual([
    { RunSeconds: 1_200, RunHosts: 5, outcome: "stopped" },
    { Outcome: "committed", HostsByOutcome: 2 },
    { Outcome: "rolledBack", HostsByOutcome: 2 },
    { Outcome: "inDoubt", HostsByOutcome: 1 },
  ]);
  expect(told.filter((line) => "Phase" in line)).toEqual([
    { Phase: "prepare", PhaseSeconds: 183.1, wave: "canary", hosts: 1 },
    { Phase: "apply", PhaseSeconds: 183.9, wave: "canary", hosts: 1 },
    { Phase: "prepare", PhaseSeconds: 204.1, wave: "wave 1", hosts: 4 },
    { Phase: "apply", PhaseSeconds: 183.9, wave: "wave 1", hosts: 4 },
  ]);
  expect(told.find(({ Step }) => Step === "download")).toEqual({
    Step: "download",
    StepSecondsP50: 11,
    StepSecondsP95: 11,
    StepSecondsMax: 11,
    hosts: 5,
  });
});

test("a dry run's times are nobody's measure", () => {
  expect(embeddedMetrics({ ...REPORT, dryRun: true }, NOW)).toEqual([]);
});

describe("timings", () => {
  const step = (durationMs: number) => ({
    step: "install" as const,
    attempt: 1,
    outcome: "succeeded",
    startedAt: "2026-01-02T03:00:00.000Z",
    durationMs,
  });
  const [first] = REPORT.hosts;
  const hosts = (durations: readonly number[]) =>
    durations.map((ms) => ({ ...(first as (typeof REPORT.hosts)[number]), steps: [step(ms)] }));

  test.each([
    [[7], [7, 7, 7]],
    [
      [3, 1, 2],
      [2, 3, 3],
    ],
    [Array.from({ length: 100 }, (_, i) => 100 - i), [50, 95, 100]],
  ])("of hosts that took %j", (durations, [p50, p95, max]) => {
    expect(stepTimings({ hosts: hosts(durations) })).toEqual([
      { step: "install", hosts: durations.length, p50, p95, max },
    ]);
  });

  test("a wave that nobody came to has none", () => {
    expect(phaseTimings({ waves: REPORT.waves, hosts: [] })).toEqual([]);
  });
});
