import { CONTRACT_VERSION, failed, type StepOutcome, type StepResult } from "../../contract/envelope.ts";
import type { FailureCode } from "../../contract/failures.ts";
import type { StepName } from "../../contract/steps.ts";

const SHA = "a".repeat(64);
export const FIGURES = { totalPackages: 215, backupCount: 1, diskUsagePercent: 41.5, securityViolations: 0 };

/** What each step says when it goes well. */
const DATA: Readonly<Record<StepName, Record<string, unknown>>> = {
  preflight: { release: "bookworm", architecture: "amd64", pending: 2, downloadBytes: 1000, figures: FIGURES },
  download: { lockDigest: SHA, packages: 2, removals: 0, security: 1, bytes: 1000, cves: 2, critical: [] },
  verify: { lockDigest: SHA, packages: 2, releases: 3 },
  rehearse: { lockDigest: SHA, possible: true, reason: null, paths: 12, tests: 1, wayBack: "identical" },
  backup: { backupId: "backup_20260102T030405Z", paths: 10, bytes: 5000 },
  install: { lockDigest: SHA, packages: 2, removals: 0, conffilesKept: 0 },
  reboot: { rebooted: false, reasons: 0 },
  validate: { checks: 3 },
  commit: { backupId: "backup_20260102T030405Z", figures: { ...FIGURES, totalPackages: 216 } },
  check: { checks: 3 },
  upload: { backups: ["backup_20260103T020000Z"], sent: 3, known: 1, bytes: 47_000_000 },
  rollback: { backupId: "backup_20260102T030405Z", identical: true, differences: 0, restored: 10, reopenedCves: 2 },
};

export type Said = "ok" | "nothing" | "blocked" | "reboot" | "different" | `${FailureCode}` | `${FailureCode}, undone`;

/** A step's result as a host would give it. */
export function said(
  step: StepName,
  what: Said,
  over: Partial<Pick<StepResult, "instanceId" | "runId" | "attempt" | "dryRun" | "reportKey">> = {},
): StepResult {
  return {
    contractVersion: CONTRACT_VERSION,
    runId: "run-1",
    step,
    attempt: 1,
    instanceId: "i-00000001",
    bootId: "boot",
    agentVersion: "1.0.0",
    startedAt: "2026-01-02T03:04:05.000Z",
    durationMs: 1500,
    dryRun: false,
    reportKey: null,
    ...outcome(step, what),
    ...over,
  } as StepResult;
}

function outcome(step: StepName, what: Said): StepOutcome {
  const data = DATA[step] as never;
  switch (what) {
    case "ok":
      return { outcome: "succeeded", data };
    case "different":
      return { outcome: "succeeded", data: { ...DATA.rollback, identical: false, differences: 2 } as never };
    case "reboot":
      return { outcome: "rebootRequired", reasons: [{ code: "libc", message: "libc6 was replaced" }], data };
    case "nothing":
      return { outcome: "nothingToDo", message: "nothing" };
    case "blocked":
      return { outcome: "blocked", reasons: [{ code: "lockHeld", message: "apt is busy" }] };
    default: {
      const [code = "", undone] = what.split(", ");
      return failed({ code: code as FailureCode, message: `${code} happened` }, undone !== undefined);
    }
  }
}

/** What a host said, step by step: `seen({ backup: "ok", install: "unhealthy" })`. */
export function seen(steps: Partial<Record<StepName, Said>>, over: Parameters<typeof said>[2] = {}) {
  return Object.fromEntries(
    (Object.entries(steps) as [StepName, Said][]).map(([step, what]) => [step, said(step, what, over)]),
  );
}
