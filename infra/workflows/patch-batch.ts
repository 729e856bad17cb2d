import { Chain, Choice, Condition, Fail, type IChainable, Pass, Succeed } from "aws-cdk-lib/aws-stepfunctions";
import type { Construct } from "constructs";
import { PHASES, type StepName } from "../../contract/steps.ts";
import { type RunStepProps, runStep } from "./run-step.ts";

export type PatchBatchProps = Pick<RunStepProps, "functions" | "waitSliceSeconds" | "pauseSeconds">;

/**
 * Takes one batch of hosts through a phase. Input: `{ item: BatchItem, phase }`.
 *
 * A host that fails leaves its batch; those that must be put back gather in `$toRollBack` and are rolled back at the end. When the
 * machinery breaks in mid-apply, nobody knows where the hosts stand: all that were on their way are asked to go back too, and a host
 * with nothing to undo says so. Only then does the batch fail.
 */
export function patchBatch(scope: Construct, props: PatchBatchProps): IChainable {
  const done = new Succeed(scope, "BatchDone");
  const broken = Fail.jsonata(scope, "BatchBroken", {
    error: "BatchBroken",
    cause: "{% $broken.name & ': ' & $broken.cause %}",
  });

  const rolledBack = Choice.jsonata(scope, "RollbackEnded")
    .when(Condition.jsonata("{% $broken = null %}"), done)
    .otherwise(broken);
  const rollback = runStep(scope, {
    ...props,
    step: "rollback",
    hosts: "toRollBack",
    onward: { proceed: rolledBack, nobodyLeft: rolledBack },
    whenBroken: broken,
  });
  const rollbackNeeded = Choice.jsonata(scope, "RollbackNeeded")
    .when(Condition.jsonata("{% $count($toRollBack) > 0 %}"), rollback)
    .otherwise(rolledBack);
  const takeAllBack = Pass.jsonata(scope, "TakeAllBack", {
    assign: { toRollBack: "{% [$distinct($append($toRollBack, $hosts))] %}" },
  }).next(rollbackNeeded);

  const prepare = inOrder(PHASES.prepare, done, (step, next) =>
    runStep(scope, { ...props, step, hosts: "hosts", onward: { proceed: next, nobodyLeft: done }, whenBroken: broken }),
  );
  const apply = inOrder(PHASES.apply, rollbackNeeded, (step, next) =>
    runStep(scope, {
      ...props,
      step,
      hosts: "hosts",
      onward: { proceed: next, nobodyLeft: rollbackNeeded },
      whenBroken: takeAllBack,
    }),
  );

  return Chain.start(
    Pass.jsonata(scope, "Begin", {
      assign: {
        item: "{% $states.input.item %}",
        hosts: "{% $states.input.item.instanceIds %}",
        toRollBack: [],
        broken: null,
      },
    }),
  ).next(
    Choice.jsonata(scope, "Phase")
      .when(Condition.jsonata("{% $states.input.phase = 'prepare' %}"), prepare)
      .when(Condition.jsonata("{% $states.input.phase = 'apply' %}"), apply),
  );
}

/** Builds the steps from the last to the first, each knowing what follows it; gives the first. */
function inOrder(
  steps: readonly StepName[],
  last: IChainable,
  build: (step: StepName, next: IChainable) => IChainable,
): IChainable {
  return steps.toReversed().reduce((next, step) => build(step, next), last);
}
