import { Choice, Condition, type IChainable, type TaskStateBase } from "aws-cdk-lib/aws-stepfunctions";
import type { Construct } from "constructs";
import type { FleetFunctions } from "../constructs/fleet-functions.ts";
import { call } from "./tasks.ts";

/**
 * After the canary wave: what it proved is signed and becomes what all later waves install, and its .debs go into the pool. Any other wave,
 * and one that stops the run, passes by. Uses the variables `$runId`, `$wave` and `$decision`.
 */
export function promoteLock(
  scope: Construct,
  props: {
    readonly functions: FleetFunctions["byName"];
    /** Adds what happens when a call fails for good: a run without its lock must not go on by itself. */
    readonly guard: (state: TaskStateBase) => TaskStateBase;
    readonly onward: IChainable;
  },
): IChainable {
  const { functions, guard, onward } = props;
  const runId = "{% $runId %}";
  const promote = call(scope, "PromoteLock", { to: functions.promote, payload: { runId } });
  const pool = call(scope, "FillPool", { to: functions.pool, payload: { runId } });
  for (const state of [promote, pool]) guard(state);
  promote.next(pool).next(onward);
  return Choice.jsonata(scope, "CanaryProven")
    .when(Condition.jsonata("{% $wave = 0 and $decision = 'continue' %}"), promote)
    .otherwise(onward);
}
