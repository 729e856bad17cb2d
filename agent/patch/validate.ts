import { failed } from "../../contract/envelope.ts";
import { Failure } from "../../contract/failures.ts";
import type { HealthCheckResult } from "../../contract/step-report.ts";
import { type CheckPatience, checkServices, healthChecks, PATIENCE, runCheck } from "./health-checks.ts";
import { readJournal, type Transaction } from "./journal.ts";
import type { Step, StepAnswer, StepContext } from "./step.ts";

/** Asks whether the host is well after the install. It changes nothing: going back is the rollback step's. */
export const validate: Step<"validate"> = (context) => validateWith(context, PATIENCE);

/** The validate step with another patience. */
export async function validateWith(context: StepContext, patience: CheckPatience): Promise<StepAnswer<"validate">> {
  const { machine, timed } = context;
  const names = healthChecks(machine);
  if (context.dryRun) {
    const checks = names.map((name) => ({ name, healthy: true, evidence: "dry run: not asked", durationMs: 0 }));
    return { outcome: { outcome: "succeeded", data: { checks: names.length } }, details: { checks } };
  }
  const { services } = requireTrial(context);
  const checks: HealthCheckResult[] = [];
  for (const name of names) checks.push(await timed(name, () => runCheck(machine, name, patience)));
  checks.push(...(await timed("services", () => checkServices(machine, services, patience))));
  const sick = checks.filter((check) => !check.healthy);
  if (sick.length === 0) {
    return { outcome: { outcome: "succeeded", data: { checks: checks.length } }, details: { checks } };
  }
  const message = sick.map(({ name, evidence }) => `${name}: ${evidence}`).join("; ");
  return { outcome: failed({ code: "unhealthy", message }) as StepAnswer<"validate">["outcome"], details: { checks } };
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
