import { KEYS } from "../../../contract/names.ts";
import type { CommandResults, RunReport, WaveVerdict } from "../../../contract/run.ts";
import type { StepReport } from "../../../contract/step-report.ts";
import { COMMANDS, CommandName, type StepName } from "../../../contract/steps.ts";
import { buildRunReport } from "../../../lambdas/fleet/run-report.ts";
import { type Said, said } from "../results.ts";
import { SNAPSHOT } from "../snapshot.ts";

export const NOW = new Date("2026-01-02T03:20:00.000Z");
const READY = { preflight: "ok", download: "ok", verify: "ok", rehearse: "ok", backup: "ok" } as const;
const GOOD = { ...READY, install: "ok", validate: "ok", commit: "ok" } as const;

/** The story of the sample: one host's script fails, one is unhealthy, one is never seen again after its install. */
const STORY: Readonly<Record<string, Partial<Record<StepName, Said>>>> = {
  "i-00000001": GOOD,
  "i-00000002": GOOD,
  "i-00000003": { ...READY, install: "maintainerScriptFailed, undone", rollback: "nothing" },
  "i-00000004": { ...READY, install: "ok", validate: "unhealthy", rollback: "ok" },
  "i-00000005": { ...READY, install: "noAnswer", rollback: "noAnswer" },
};

export const userId = (instanceId: string) => `AROAEXAMPLE:${instanceId}`;
export const keyOf = (instanceId: string, step: StepName) => KEYS.hostReport(userId(instanceId), "run-1", step, 1);

export const COLLECTIONS: readonly CommandResults[] = Object.entries(STORY).flatMap(([instanceId, story], host) => {
  const told = (Object.entries(story) as [StepName, Said][]).map(([step, what], index) => ({
    ...said(step, what, { instanceId, reportKey: what === "noAnswer" ? null : keyOf(instanceId, step) }),
    startedAt: new Date(Date.UTC(2026, 0, 2, 3, 1 + index, host * 7)).toISOString(),
    durationMs: [4_200, 11_000, 1_900, 3_100, 42_000, 6_400, 300, 3_900][index] ?? 1_000,
  }));
  return CommandName.options.flatMap((command) => {
    const steps = told.filter(({ step }) => (COMMANDS[command] as readonly StepName[]).includes(step));
    const sent = { command, attempt: 1, commandId: `c-${instanceId}-${command}` };
    return steps.length === 0 ? [] : [{ ...sent, results: [{ instanceId, steps }] }];
  });
});

export const VERDICTS: readonly WaveVerdict[] = [
  {
    wave: 0,
    phase: "prepare",
    hosts: 1,
    failed: 0,
    allowed: 0,
    decision: "continue",
    reason: "1 of 1 host got through",
  },
  { wave: 0, phase: "apply", hosts: 1, failed: 0, allowed: 0, decision: "continue", reason: "1 of 1 host got through" },
  {
    wave: 1,
    phase: "prepare",
    hosts: 4,
    failed: 0,
    allowed: 2,
    decision: "continue",
    reason: "4 of 4 hosts got through",
  },
  {
    wave: 1,
    phase: "apply",
    hosts: 4,
    failed: 3,
    allowed: 2,
    decision: "stop",
    reason:
      "3 of 4 hosts failed (budget 2): web-03 (install: maintainerScriptFailed), web-04 (validate: unhealthy), web-05 (install: noAnswer)",
  },
];

const planned = (
  name: string,
  from: string | null,
  version: string,
  [security, critical]: [boolean, boolean],
  cves: string[] | null,
) => ({
  name,
  architecture: "amd64",
  version,
  from,
  sha256: "a".repeat(64),
  size: 1000,
  file: `${name}.deb`,
  origin: security ? "Debian-Security:12/stable-security" : "Debian:12/stable",
  security,
  critical,
  cves,
  cvesIncomplete: name === "nginx",
});

export const REPORTS: ReadonlyMap<string, StepReport> = new Map<string, StepReport>([
  ...Object.keys(STORY).map((instanceId): [string, StepReport] => [
    keyOf(instanceId, "download"),
    {
      result: said("download", "ok", { instanceId }),
      plan: {
        packages: [
          planned(
            "openssl",
            "3.0.17-1~deb12u2",
            "3.0.18-1~deb12u1",
            [true, false],
            ["CVE-2025-9230", "CVE-2025-15467"],
          ),
          planned("nginx", "1.22.1-9", "1.22.1-9+deb12u3", [true, true], ["CVE-2025-23419"]),
          ...(instanceId === "i-00000004" ? [planned("webapp-data", null, "2.0", [false, false], [])] : []),
        ],
        removals: instanceId === "i-00000004" ? [{ name: "webapp-old", architecture: "all", version: "1.0" }] : [],
        leftOut: [],
        downloadBytes: 2_000,
        installedBytes: 0,
      },
      timings: [],
    },
  ]),
  [
    keyOf("i-00000003", "install"),
    {
      result: said("install", "maintainerScriptFailed, undone", { instanceId: "i-00000003" }),
      rollback: {
        backupId: "backup_20260102T030405Z",
        identical: true,
        differences: [],
        keptEdits: [],
        notCovered: [],
        reopenedCves: ["CVE-2025-9230", "CVE-2025-15467", "CVE-2025-23419"],
      },
      timings: [],
    },
  ],
]);

/** A run that was stopped, as it is reported. */
export const REPORT: RunReport = buildRunReport(
  {
    runId: "run-1",
    fleet: "default",
    snapshot: {
      ...SNAPSHOT,
      leftOut: [
        {
          instanceId: "i-00000009",
          name: "web-09",
          reason: "offline: its SSM agent last answered at 2026-01-01T00:00:00.000Z",
        },
      ],
    },
    collections: COLLECTIONS,
    verdicts: VERDICTS,
    reports: REPORTS,
    error: null,
  },
  NOW,
);
