import { Choice, Condition, Fail, type IChainable, Pass, Succeed } from "aws-cdk-lib/aws-stepfunctions";
import type { Construct } from "constructs";
import { type BatchPhase, ROLLBACK_ATTEMPTS } from "../../contract/steps.ts";
import { type RunCommandProps, runCommand } from "./run-command.ts";

export type PatchBatchProps = Pick<RunCommandProps, "functions" | "waitSliceSeconds">;

/**
 * Takes one batch of hosts through a phase, or back. Input: `{ item: BatchItem, phase: BatchPhase }`.
 *
 * A host that fails leaves its batch; those that must be put back gather in `$toRollBack` and are rolled back at the end. Hosts that have
 * applied are not kept waiting for slow ones until their trial is over: they commit, and the batch waits on for those in `$waiting`. When the
 * machinery breaks in mid-apply, nobody knows where the hosts stand: all that were on their way are asked to go back too, and a host
 * with nothing to undo says so. Only then does the batch fail. Hosts that have committed are another matter: a check that breaks takes
 * nothing back.
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
  const rollback = runCommand(scope, {
    ...props,
    command: "rollback",
    attempt: "{% $rollbackAttempt %}",
    hosts: "toRollBack",
    onward: rolledBack,
    whenBroken: broken,
  });
  const whoIsLeft = Choice.jsonata(scope, "WhoIsLeft");
  const takeAllBack = Pass.jsonata(scope, "TakeAllBack", {
    assign: { toRollBack: "{% [$distinct($append($append($toRollBack, $hosts), $waiting))] %}" },
  }).next(rollback);

  const prepare = runCommand(scope, { ...props, command: "prepare", hosts: "hosts", whenBroken: broken });
  const commit = runCommand(scope, {
    ...props,
    command: "commit",
    // Once for each part of the batch.
    attempt: "{% $commits %}",
    hosts: "hosts",
    onward: whoIsLeft,
    whenBroken: takeAllBack,
  });
  const apply = runCommand(scope, {
    ...props,
    command: "apply",
    hosts: "hosts",
    onward: { proceed: commit, nobodyLeft: whoIsLeft },
    whenBroken: takeAllBack,
  });

  const check = runCommand(scope, {
    ...props,
    command: "check",
    hosts: "hosts",
    onward: whoIsLeft,
    whenBroken: broken,
  });

  whoIsLeft
    .when(Condition.jsonata("{% $count($waiting) > 0 %}"), apply, { assign: THOSE_WAITING })
    .when(Condition.jsonata("{% $count($toRollBack) > 0 %}"), rollback)
    .otherwise(done);

  const first: Readonly<Record<BatchPhase, IChainable>> = { prepare, apply, check, rollback };
  const choice = Choice.jsonata(scope, "Phase");
  for (const [phase, state] of Object.entries(first))
    choice.when(Condition.jsonata(`{% $states.input.phase = '${phase}' %}`), state, begin(phase as BatchPhase));
  return choice;
}

/** Apply is looked at again, for the rest of the batch; who of these commits does so by a command of their own. */
const THOSE_WAITING = { hosts: "{% $waiting %}", waiting: [], commits: "{% $commits + 1 %}" };

function begin(phase: BatchPhase) {
  const everyHost = "{% $states.input.item.instanceIds %}";
  return {
    assign: {
      item: "{% $states.input.item %}",
      hosts: everyHost,
      toRollBack: phase === "rollback" ? everyHost : [],
      waiting: [],
      commits: 1,
      ...(phase === "prepare" ? {} : { rollbackAttempt: ROLLBACK_ATTEMPTS[phase] }),
      broken: null,
    },
  };
}
