import { failed } from "../../contract/envelope.ts";
import { Failure } from "../../contract/failures.ts";
import type { HealthCheckResult } from "../../contract/step-report.ts";
import {
  type CheckPatience,
  checkLibraries,
  checkServices,
  type HealthCheck,
  healthChecksOf,
  PATIENCE,
  runCheck,
} from "./health-checks.ts";
import { readJournal, type Transaction } from "./journal.ts";
import type { Step, StepAnswer, StepContext } from "./step.ts";

/**
 * Asks whether the host is well after the install. It changes nothing: going back is the rollback step's. What failed before the change
 * too is reported and not held against it.
 */
export const validate: Step<"validate"> = (context) => validateWith(context, PATIENCE);

/** The validate step with another patience. */
export async function validateWith(context: StepContext, patience: CheckPatience): Promise<StepAnswer<"validate">> {
  const asked = await healthChecksOf(context.machine, patience);
  if (context.dryRun) {
    const checks = asked.map(({ name }) => ({ name, healthy: true, evidence: "dry run: not asked", durationMs: 0 }));
    return { outcome: { outcome: "succeeded", data: { checks: asked.length } }, details: { checks } };
  }
  return judgeHealth(context, requireTrial(context), asked, patience);
}

/** Asks everything, and judges it by what the host was before the change. */
export async function judgeHealth(
  { machine, timed }: StepContext,
  { services, restarted, failingBefore }: Transaction,
  asked: readonly HealthCheck[],
  patience: CheckPatience,
): Promise<StepAnswer<"validate" | "check">> {
  const checks: HealthCheckResult[] = [];
  for (const check of asked) {
    const tries = failingBefore.includes(check.name) ? 1 : patience.tries;
    checks.push(await timed(check.name, () => runCheck(machine, check, { ...patience, tries })));
  }
  checks.push(...(await timed("services", () => checkServices(machine, services, patience))));
  checks.push(...(await checkLibraries(machine, restarted)));
  const judged = checks.map((check) =>
    !check.healthy && failingBefore.includes(check.name) ? { ...check, failedBefore: true } : check,
  );
  const sick = judged.filter((check) => !check.healthy && !check.failedBefore);
  const details = { checks: judged };
  if (sick.length === 0) return { outcome: { outcome: "succeeded", data: { checks: checks.length } }, details };
  const message = sick.map(({ name, evidence }) => `${name}: ${evidence}`).join("; ");
  return { outcome: failed({ code: "unhealthy", message }) as StepAnswer<"validate" | "check">["outcome"], details };
}

/**
 * The installed, not yet committed transaction of this run.
 * @throws Failure `noTransaction` saying what there is instead
 */
export function requireTrial({ machine, runId }: StepContext): Transaction {
  const transaction = readJournal(machine);
  if (transaction?.runId === runId && transaction.state === "trial") return transaction;
  const is = transaction === null ? "no change was ever begun" : `run ${transaction.runId} is ${transaction.state}`;
  throw new Failure("noTransaction", `run ${runId} has nothing installed on trial: ${is}`);
}
