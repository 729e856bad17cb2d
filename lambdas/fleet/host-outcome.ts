import type { StepResult } from "../../contract/envelope.ts";
import type { FailureCode } from "../../contract/failures.ts";
import type { CommandResults, HostOutcome, RootReplacement } from "../../contract/run.ts";
import { PHASES, STEPS, type StepName } from "../../contract/steps.ts";

/** What was seen of a host, by step; of several attempts the last. */
export type HostResults = Partial<Record<StepName, StepResult>> & {
  /** What came of replacing its root volume, before the last attempt of its rollback. */
  readonly replacement?: RootReplacement;
};

/** Sorts what the commands of a run brought back by host. */
export function byHost(collections: readonly CommandResults[]): Map<string, HostResults> {
  const hosts = new Map<string, HostResults>();
  for (const { results, replaced = [] } of collections.toSorted((a, b) => a.attempt - b.attempt)) {
    const replacements = new Map(replaced.map((one) => [one.instanceId, one]));
    for (const { instanceId, steps } of results) {
      const replacement = replacements.get(instanceId);
      hosts.set(instanceId, {
        ...hosts.get(instanceId),
        ...Object.fromEntries(steps.map((one) => [one.step, one])),
        ...(replacement === undefined ? {} : { replacement }),
      });
    }
  }
  return hosts;
}

type FailedResult = Extract<StepResult, { outcome: "failed" }>;

/**
 * The first step that failed, in the order of a host's life. Of a host that just said no more, what came out later says why: Systems
 * Manager does not know it any more.
 */
export function firstFailure(results: HostResults): FailedResult | null {
  const failures = STEPS.map((step) => results[step]).filter((one): one is FailedResult => one?.outcome === "failed");
  const [first] = failures;
  const gone = first?.code === "noAnswer" ? failures.find(({ code }) => code === "hostGone") : undefined;
  return gone ?? first ?? null;
}

export function passed(result: StepResult | undefined): boolean {
  return result?.outcome === "succeeded" || result?.outcome === "rebootRequired";
}

/** What the cloud says in a host's stead: the host itself may be anywhere in its command. */
export const UNSEEN: ReadonlySet<FailureCode> = new Set<FailureCode>([
  "noAnswer",
  "resultUnreadable",
  "resultForeign",
  "stepTimedOut",
  "stepKilled",
  "installTimedOut",
  "rebootFailed",
]);

/**
 * Failures of install that do not prove the host untouched: the cloud stated them in its stead, or it had begun to change. Together with
 * "nothing to undo" they leave open who put it back, and whether anyone did.
 */
const MAY_HAVE_CHANGED: ReadonlySet<FailureCode> = new Set<FailureCode>([
  ...UNSEEN,
  "installFailed",
  "maintainerScriptFailed",
  "rollbackIncomplete",
  "internal",
]);

/**
 * Where a host stands, from what it answered and nothing else. Pure, never optimistic: what was not seen is `inDoubt`.
 *
 * A host installs only after its backup, so one that says itself that its backup failed is as it was. One that committed and then
 * failed its check after the bake is new, but nobody can say that it stands: only going back makes that good.
 */
export function hostOutcome(results: HostResults, dryRun: boolean): HostOutcome {
  if (dryRun) return dryOutcome(results);
  const { backup, install, commit, rollback } = results;
  if (!passed(backup) && !isUnseen(backup)) return beforeChange(results);
  if (rollback === undefined) {
    if (passed(commit)) return stillCommitted(results);
    if (install?.outcome === "nothingToDo" || install?.outcome === "blocked") return install.outcome;
    return "inDoubt";
  }
  if (rollback.outcome === "succeeded") return wentBack(rollback) ? "rolledBack" : "inDoubt";
  if (rollback.outcome === "nothingToDo") return nothingToUndo(results);
  // It says itself that it stays as it is.
  if (rollback.outcome === "blocked" && passed(commit)) return stillCommitted(results);
  return "inDoubt";
}

function stillCommitted({ check }: HostResults): HostOutcome {
  return check?.outcome === "failed" ? "inDoubt" : "committed";
}

/** Why a host is not new though none of its steps failed. Pure. */
export function whyWentBack(results: HostResults, outcome: HostOutcome): string | undefined {
  if (results.replacement !== undefined) return whatReplacementDid(results.replacement, outcome);
  if (!passed(results.commit) || firstFailure(results) !== null) return undefined;
  if (outcome === "rolledBack") return "its wave was stopped";
  const { rollback } = results;
  if (rollback?.outcome !== "blocked") return undefined;
  return `its wave was stopped, but it did not go back: ${rollback.reasons.map(({ message }) => message).join("; ")}`;
}

const UNREPLACED: Readonly<Record<Exclude<RootReplacement["state"], "succeeded">, string>> = {
  failed: "EC2 failed; it keeps the volume that it had",
  "failed-detached": "EC2 failed halfway: it has no root volume now",
  refused: "EC2 refused it",
  unfinished: "it had not ended when nobody looked any more",
};

function whatReplacementDid({ snapshotId, state }: RootReplacement, outcome: HostOutcome): string {
  if (state !== "succeeded") return `its root volume could not be replaced from ${snapshotId}: ${UNREPLACED[state]}`;
  const said = `its root volume was replaced from ${snapshotId}, taken before its change`;
  return outcome === "rolledBack" ? said : `${said}; it has not answered since`;
}

function isUnseen(result: StepResult | undefined): boolean {
  return result?.outcome === "failed" && UNSEEN.has(result.code);
}

/** The host says that no change is open. What that means depends on what it said before. */
function nothingToUndo(results: HostResults): HostOutcome {
  // It answers from the volume that it has now.
  if (results.replacement?.state === "succeeded") return "rolledBack";
  const { install, reboot, validate, commit } = results;
  const answers = [install, reboot, validate, commit];
  if (answers.some((answer) => answer?.outcome === "failed" && answer.rolledBack)) return "rolledBack";
  if (passed(commit)) return stillCommitted(results);
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
