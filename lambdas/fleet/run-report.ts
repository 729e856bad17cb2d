import type { ApprovalEnd } from "../../contract/approval.ts";
import { CONTRACT_VERSION, dataOf, type StepResult } from "../../contract/envelope.ts";
import { KEYS } from "../../contract/names.ts";
import { DEFAULT_POLICY } from "../../contract/request.ts";
import type {
  CommandResults,
  Host,
  HostReport,
  PackageChange,
  RunOutcome,
  RunReport,
  Snapshot,
  WaveVerdict,
} from "../../contract/run.ts";
import type { Plan, StepReport } from "../../contract/step-report.ts";
import { STEPS } from "../../contract/steps.ts";
import { byHost, firstFailure, type HostResults, hostOutcome, whyWentBack } from "./host-outcome.ts";
import { sentenceOf } from "./sentence.ts";

export interface RunSeen {
  readonly runId: string;
  readonly fleet: string;
  /** Undefined when the run broke before it was planned. */
  readonly snapshot: Snapshot | undefined;
  readonly collections: readonly CommandResults[];
  readonly verdicts: readonly WaveVerdict[];
  /** The hosts' full reports, by key. One that is missing takes away details, never the outcome. */
  readonly reports: ReadonlyMap<string, StepReport>;
  /** Why the run itself broke; null when it did not. */
  readonly error: { readonly name: string; readonly cause: string } | null;
  /** How what people were asked ended. @default nobody was asked */
  readonly approvals?: readonly ApprovalEnd[];
}

/** The run as it was seen, host by host. Pure. */
export function buildRunReport(seen: RunSeen, now: Date): RunReport {
  const { snapshot, verdicts, error } = seen;
  const results = byHost(seen.collections);
  const waves = snapshot?.waves ?? [];
  const names = new Map(snapshot?.hosts.map(({ instanceId, name }) => [instanceId, name]));
  const hosts = waves.flatMap(({ index, batches }) =>
    batches.flat().map((instanceId) => {
      const host = { instanceId, name: names.get(instanceId) ?? instanceId };
      return hostReport(host, index, results.get(instanceId) ?? {}, snapshot?.dryRun ?? false, seen.reports);
    }),
  );
  const report = {
    contractVersion: CONTRACT_VERSION,
    runId: seen.runId,
    fleet: seen.fleet,
    dryRun: snapshot?.dryRun ?? false,
    operation: snapshot?.policy.operation ?? DEFAULT_POLICY.operation,
    plannedAt: snapshot?.plannedAt ?? now.toISOString(),
    finishedAt: now.toISOString(),
    outcome: runOutcome(hosts, verdicts, error),
    waves: waves.map(({ index, name, batches }) => ({
      index,
      name,
      hosts: batches.flat().length,
      verdicts: verdicts.filter(({ wave }) => wave === index),
    })),
    hosts,
    leftOut: snapshot?.leftOut ?? [],
    ...(seen.approvals === undefined || seen.approvals.length === 0 ? {} : { approvals: [...seen.approvals] }),
    ...(snapshot?.resumes === undefined ? {} : { resumes: snapshot.resumes }),
  } as const;
  return { ...report, waves: [...report.waves], sentence: sentenceOf(report, error) };
}

/**
 * Keys of the reports that the run's report takes details from: each host's plan, and its ways back. A host names its own key, so one
 * that lies outside what IAM lets it write (`aws:userid` ends with the instance's id) is passed over.
 */
export function reportKeysOf(runId: string, collections: readonly CommandResults[]): string[] {
  const told = new Set<string>(["download", "install", "rollback"]);
  const keys = new Set<string>();
  for (const { instanceId, step, attempt, reportKey } of answersOf(collections)) {
    if (!told.has(step) || reportKey === null) continue;
    const userId = /^hosts\/([^/]+)\//.exec(reportKey)?.[1] ?? "";
    const own = userId.endsWith(`:${instanceId}`) && reportKey === KEYS.hostReport(userId, runId, step, attempt);
    if (own) keys.add(reportKey);
  }
  return [...keys];
}

/** Every step that was answered for, with the host that SSM says it came from. */
function answersOf(collections: readonly CommandResults[]) {
  return collections.flatMap(({ results }) =>
    results.flatMap(({ instanceId, steps }) => steps.map((step) => ({ ...step, instanceId }))),
  );
}

function runOutcome(
  hosts: readonly HostReport[],
  verdicts: readonly WaveVerdict[],
  error: RunSeen["error"],
): RunOutcome {
  if (error !== null) return "failed";
  if (verdicts.some(({ decision }) => decision === "stop")) return "stopped";
  const well: ReadonlySet<string> = new Set(["committed", "nothingToDo", "planned"]);
  // A run that found nobody to patch has not succeeded at patching.
  return hosts.length > 0 && hosts.every(({ outcome }) => well.has(outcome)) ? "succeeded" : "partial";
}

function hostReport(
  { instanceId, name }: Pick<Host, "instanceId" | "name">,
  wave: number,
  results: HostResults,
  dryRun: boolean,
  reports: RunSeen["reports"],
): HostReport {
  const failure = firstFailure(results);
  const reportOf = (result: StepResult | undefined) => reports.get(result?.reportKey ?? "");
  const { backup, commit, download, install, rollback } = results;
  const outcome = hostOutcome(results, dryRun);
  const because = dryRun ? undefined : whyWentBack(results, outcome);
  return {
    instanceId,
    name,
    wave,
    outcome,
    failure: failure === null ? null : { step: failure.step, code: failure.code, message: failure.message },
    ...(because === undefined ? {} : { because }),
    packages: packagesOf(reportOf(download)?.plan),
    backupId: (backup && dataOf(backup, "backup")?.backupId) ?? (commit && dataOf(commit, "commit")?.backupId) ?? null,
    rollback: rollbackOf(rollback, [reportOf(rollback), reportOf(install)]),
    steps: STEPS.flatMap((step) => {
      const result = results[step];
      if (result === undefined) return [];
      const { attempt, outcome, startedAt, durationMs } = result;
      return [{ step, attempt, outcome, startedAt, durationMs }];
    }),
  };
}

/** A host goes back in its rollback step, or by itself in its install. */
function rollbackOf(
  result: HostResults["rollback"],
  reports: readonly (StepReport | undefined)[],
): HostReport["rollback"] {
  const told = reports.find((report) => report?.rollback !== undefined)?.rollback;
  const data = result && dataOf(result, "rollback");
  const reopenedCves = told?.reopenedCves ?? null;
  if (data !== undefined) return { identical: data.identical, differences: data.differences, reopenedCves };
  if (told === undefined) return null;
  return { identical: told.identical, differences: told.differences.length, reopenedCves };
}

function packagesOf(plan: Plan | undefined): PackageChange[] {
  if (plan === undefined) return [];
  return [
    ...plan.packages.map(({ name, architecture, from, version, security, critical, cves, cvesIncomplete }) => ({
      name,
      architecture,
      from,
      to: version,
      security,
      critical,
      cves,
      cvesIncomplete,
    })),
    ...plan.removals.map(({ name, architecture, version }) => ({
      name,
      architecture,
      from: version,
      to: null,
      security: false,
      critical: false,
      cves: [],
      cvesIncomplete: false,
    })),
  ];
}
