import { CONTRACT_VERSION, type StepOutcome, type StepResult } from "../../contract/envelope.ts";
import { LockEntry, lockDigest } from "../../contract/lock.ts";
import type { Plan, PlannedPackage, StepReport } from "../../contract/step-report.ts";
import type { StepData, StepName } from "../../contract/steps.ts";

const SHA = "5".repeat(64);
const packaged = (name: string, security: boolean): PlannedPackage => ({
  name,
  architecture: "amd64",
  version: "2.0-1",
  from: "1.0-1",
  sha256: SHA,
  size: 500_000,
  file: `${name}_2.0-1_amd64.deb`,
  origin: security ? "Debian-Security:12/stable-security" : "Debian:12/stable",
  security,
  critical: false,
  cves: security ? ["CVE-2026-0001"] : [],
  cvesIncomplete: false,
});
const PLAN: Plan = {
  packages: [packaged("example", false), packaged("libexample1", true)],
  removals: [],
  leftOut: [],
  downloadBytes: 1_000_000,
  installedBytes: 0,
};
const KIND = { release: "bookworm", architecture: "amd64" };
/** What the canaries install is what their reports tell. */
const LOCK_DIGEST = lockDigest({
  ...KIND,
  entries: PLAN.packages.map((one) => LockEntry.parse(one)),
  removals: [],
});
const FIGURES = { totalPackages: 412, backupCount: 3, diskUsagePercent: 43.5, securityViolations: 0 };
const BACKUP = "backup_20260301T020000Z";

/** What each step of a simulated host says when it goes well: two packages of which one is a security update. */
const DATA: { readonly [S in StepName]: StepData<S> } = {
  preflight: { ...KIND, pending: 2, downloadBytes: 1_000_000, figures: FIGURES },
  download: { lockDigest: LOCK_DIGEST, packages: 2, removals: 0, security: 1, bytes: 1_000_000, cves: 1, critical: [] },
  verify: { lockDigest: LOCK_DIGEST, packages: 2, releases: 3 },
  rehearse: { lockDigest: LOCK_DIGEST, possible: true, reason: null, paths: 40, tests: 2, wayBack: "identical" },
  backup: { backupId: BACKUP, paths: 40, bytes: 3_000_000 },
  install: { lockDigest: LOCK_DIGEST, packages: 2, removals: 0, conffilesKept: 0 },
  reboot: { rebooted: false, reasons: 0 },
  validate: { checks: 6 },
  commit: { backupId: BACKUP, figures: FIGURES },
  check: { checks: 6 },
  rollback: { backupId: BACKUP, identical: true, differences: 0, restored: 40, reopenedCves: 1 },
  upload: { backups: [BACKUP], sent: 4, known: 0, bytes: 3_000_000 },
};

export const succeeded = (step: StepName): StepOutcome => ({ outcome: "succeeded", data: DATA[step] }) as StepOutcome;

/** A step's outcome in its envelope, as the agent gives it. */
export function resultOf(
  outcome: StepOutcome,
  about: Pick<StepResult, "runId" | "step" | "attempt" | "instanceId" | "dryRun" | "reportKey">,
  { startedAt, seconds }: { readonly startedAt: Date; readonly seconds: number },
): StepResult {
  return {
    contractVersion: CONTRACT_VERSION,
    bootId: "00000000-0000-4000-8000-000000000000",
    agentVersion: "0.1.0",
    startedAt: startedAt.toISOString(),
    durationMs: seconds * 1000,
    ...about,
    ...outcome,
  } as StepResult;
}

/** A host's full report of a step, as it lies in the bucket. */
export function reportOf(result: StepResult): StepReport {
  return { result, ...(PLANNING.has(result.step) ? { plan: PLAN } : {}), timings: [] };
}

const PLANNING: ReadonlySet<StepName> = new Set<StepName>(["download", "install"]);
