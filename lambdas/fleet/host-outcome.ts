import type { StepResult } from "../../contract/envelope.ts";
import type { FailureCode } from "../../contract/failures.ts";
import type { HostOutcome, StepCollection } from "../../contract/run.ts";
import { PHASES, STEPS, type StepName } from "../../contract/steps.ts";

/** What was seen of a host, by step; of several attempts the last. */
export type HostResults = Partial<Record<StepName, StepResult>>;

/** Sorts what the commands of a run brought back by host. */
export function byHost(collections: readonly StepCollection[]): Map<string, HostResults> {
  const hosts = new Map<string, HostResults>();
  for (const { results } of collections.toSorted((a, b) => a.attempt - b.attempt)) {
    for (const { instanceId, result } of results) {
      hosts.set(instanceId, { ...hosts.get(instanceId), [result.step]: result });
    }
  }
  return hosts;
}

/** The first step that failed, in the order of a host's life. */
export function firstFailure(results: HostResults): Extract<StepResult, { outcome: "failed" }> | null {
  for (const step of STEPS) {
    const result = results[step];
    if (result?.outcome === "failed") return result;
  }
  return null;
}

export function passed(result: StepResult | undefined): boolean {
  return result?.outcome === "succeeded" || result?.outcome === "rebootRequired";
}

/**
 * Failures of install that do not prove the host untouched: the cloud stated them in its stead, or it had begun to change. Together with
 * "nothing to undo" they leave open who put it back, and whether anyone did.
 */
const MAY_HAVE_CHANGED: ReadonlySet<FailureCode> = new Set<FailureCode>([
  "noAnswer",
  "resultUnreadable",
  "installTimedOut",
  "installFailed",
  "maintainerScriptFailed",
  "rollbackIncomplete",
  "internal",
]);

/**
 * Where a host stands, from what it answered and nothing else. Pure, never optimistic: what was not seen is `inDoubt`.
 *
 * A host is asked to install only after its backup was seen to have succeeded, so without one it is as it was.
 */
export function hostOutcome(results: HostResults, dryRun: boolean): HostOutcome {
  if (dryRun) return dryOutcome(results);
  if (!passed(results.backup)) return beforeChange(results);
  const { install, commit, rollback } = results;
  if (rollback === undefined) {
    if (passed(commit)) return "committed";
    if (install?.outcome === "nothingToDo" || install?.outcome === "blocked") return install.outcome;
    return "inDoubt";
  }
  if (rollback.outcome === "succeeded") return wentBack(rollback) ? "rolledBack" : "inDoubt";
  if (rollback.outcome === "nothingToDo") return nothingToUndo(results);
  return "inDoubt";
}

/** The host says that no change is open. What that means depends on what it said before. */
function nothingToUndo({ install, validate, commit }: HostResults): HostOutcome {
  const answers = [install, validate, commit];
  if (answers.some((answer) => answer?.outcome === "failed" && answer.rolledBack)) return "rolledBack";
  if (passed(commit)) return "committed";
  // It refused before it changed anything, or was never reached.
  if (install?.outcome === "failed" && !MAY_HAVE_CHANGED.has(install.code)) return "unchanged";
  if (install?.outcome === "nothingToDo" || install?.outcome === "blocked") return install.outcome;
  return "inDoubt";
}

function beforeChange(results: HostResults): HostOutcome {
  const answers = [...PHASES.prepare, "backup" as const].map((step) => results[step]);
  if (answers.some((answer) => answer?.outcome === "nothingToDo")) return "nothingToDo";
  if (answers.some((answer) => answer?.outcome === "blocked")) return "blocked";
  return "unchanged";
}

/** A dry run changes nothing; what counts is whether the host came to a plan and nothing after it objected. */
function dryOutcome(results: HostResults): HostOutcome {
  const answers = STEPS.map((step) => results[step]);
  if (answers.some((answer) => answer?.outcome === "failed")) return "unchanged";
  if (answers.some((answer) => answer?.outcome === "blocked")) return "blocked";
  const { preflight, download, verify } = results;
  if (preflight?.outcome === "nothingToDo" || download?.outcome === "nothingToDo") return "nothingToDo";
  return passed(download) && verify !== undefined ? "planned" : "unchanged";
}

function wentBack(result: StepResult): boolean {
  return "data" in result && result.data.differences === 0;
}
