import type { BatchItem, ErrorBudget, HostOutcome, Wave, WaveVerdict } from "../../contract/run.ts";
import type { Phase, StepName } from "../../contract/steps.ts";
import { PHASES } from "../../contract/steps.ts";
import { allowedFailures } from "./budget.ts";
import { firstFailure, type HostResults, hostOutcome, passed } from "./host-outcome.ts";
import { type PlannedOnHost, violationOf } from "./violations.ts";
import { batchItems } from "./waves.ts";

/** How a host came out of a phase: it got through, had nothing to do, was held back for a reason of its own, or failed. */
type Standing = "through" | "nothingToDo" | "blocked" | "failed";

export interface WaveSeen {
  readonly wave: Wave;
  readonly results: ReadonlyMap<string, HostResults>;
  readonly names: ReadonlyMap<string, string>;
  /** What the hosts of earlier waves answered: this wave is shown the same as they were. @default none */
  readonly earlier?: ReadonlyMap<string, HostResults>;
  /** What hosts that planned by themselves are to install. @default not compared */
  readonly plans?: readonly PlannedOnHost[];
}

export interface AssessPolicy {
  readonly errorBudget: ErrorBudget;
  readonly dryRun: boolean;
  /** The canary of the run that this one resumes was healthy: its first wave need prove nothing. @default false */
  readonly proven?: boolean;
  /** How the run as a whole stands. @default only the wave counts */
  readonly run?: { readonly hosts: number; readonly failedBefore: number; readonly errorBudget: ErrorBudget };
}

/**
 * Whether the run goes on after a phase of a wave. Pure. A host that gave no answer counts as failed. Failures of both phases count
 * against one budget.
 */
export function assessWave(
  { wave, results, names, earlier = new Map(), plans = [] }: WaveSeen,
  phase: Phase,
  policy: AssessPolicy,
): WaveVerdict {
  const hosts = wave.batches.flat();
  const standings = hosts.map((id) => ({ id, standing: standing(results.get(id) ?? {}, phase, policy.dryRun) }));
  const count = (wanted: Standing) => standings.filter(({ standing }) => standing === wanted).length;
  const failed = count("failed");
  const allowed = allowedFailures(policy.errorBudget, hosts.length);
  const verdict = { wave: wave.index, phase, hosts: hosts.length, failed, allowed };
  const word = hosts.length === 1 ? "host" : "hosts";

  const violation = violationOf({ hosts, results, earlier, names, plans }, phase);
  if (violation !== null)
    return { ...verdict, decision: "stop", reason: `security violation, ${violation}`, violation: true };
  const spent = runBudgetSpent(policy, failed);
  if (failed > allowed || spent !== null) {
    const first = standings.filter(({ standing }) => standing === "failed").slice(0, 5);
    const why = first.map(({ id }) => `${names.get(id) ?? id} (${reason(results.get(id) ?? {})})`).join(", ");
    const more = failed > first.length ? `, and ${failed - first.length} more` : "";
    return {
      ...verdict,
      decision: "stop",
      reason: `${failed > allowed ? `${failed} of ${hosts.length} ${word} failed (budget ${allowed})` : spent}: ${why}${more}`,
    };
  }
  const provesNothing =
    wave.index === 0 && policy.proven !== true && count("through") === 0 && count("nothingToDo") < hosts.length;
  if (provesNothing)
    return {
      ...verdict,
      decision: "stop",
      reason: `no canary got through (${count("blocked")} blocked, ${failed} failed): nothing is proven`,
    };
  const parts = [`${count("through")} of ${hosts.length} ${word} got through`];
  if (count("nothingToDo") > 0) parts.push(`${count("nothingToDo")} had nothing to do`);
  if (count("blocked") > 0) parts.push(`${count("blocked")} blocked`);
  if (failed > 0) parts.push(`${failed} failed (budget ${allowed})`);
  return { ...verdict, decision: "continue", reason: parts.join(", ") };
}

/** In words, when the run has lost more hosts than it may, this wave's among them. A wave that lost none cannot be to blame. */
function runBudgetSpent({ run }: AssessPolicy, failed: number): string | null {
  if (run === undefined || failed === 0) return null;
  const allowed = allowedFailures(run.errorBudget, run.hosts);
  const all = run.failedBefore + failed;
  return all > allowed ? `${all} of ${run.hosts} hosts of the run failed (budget ${allowed})` : null;
}

/** Passed everything that prepares a host. */
export function readyToApply(results: HostResults): boolean {
  return passed(results[LAST_OF_PREPARE]);
}

/** The batches to apply: of each only the hosts that passed everything that prepares them. */
export function applyItems(runId: string, { wave, results }: WaveSeen, dryRun = false): BatchItem[] {
  const items = batchItems(runId, wave, (id) => readyToApply(results.get(id) ?? {}));
  return dryRun ? items.map((item) => ({ ...item, dryRun: true as const })) : items;
}

const LAST_OF_PREPARE: StepName = PHASES.prepare[PHASES.prepare.length - 1] as StepName;

function standing(results: HostResults, phase: Phase, dryRun: boolean): Standing {
  return phase === "prepare" ? prepared(results) : APPLIED[hostOutcome(results, dryRun)];
}

function prepared(results: HostResults): Standing {
  const answers = PHASES.prepare.map((step) => results[step]);
  if (answers.some((answer) => answer?.outcome === "failed")) return "failed";
  if (answers.some((answer) => answer?.outcome === "blocked")) return "blocked";
  if (answers.some((answer) => answer?.outcome === "nothingToDo")) return "nothingToDo";
  return readyToApply(results) ? "through" : "failed";
}

const APPLIED: Readonly<Record<HostOutcome, Standing>> = {
  committed: "through",
  planned: "through",
  nothingToDo: "nothingToDo",
  blocked: "blocked",
  rolledBack: "failed",
  unchanged: "failed",
  inDoubt: "failed",
};

function reason(results: HostResults): string {
  const failure = firstFailure(results);
  return failure === null ? "no answer was seen" : `${failure.step}: ${failure.code}`;
}
