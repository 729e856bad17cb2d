import { Duration } from "aws-cdk-lib";
import { Choice, Condition, Fail, type IChainable, Pass, Succeed, Wait, WaitTime } from "aws-cdk-lib/aws-stepfunctions";
import type { Construct } from "constructs";
import {
  type BatchPhase,
  ROLLBACK_AFTER_REPLACEMENT,
  ROLLBACK_AFTER_TRIAL,
  ROLLBACK_ATTEMPTS,
} from "../../contract/steps.ts";
import type { RootVolumes } from "../config.ts";
import { MAY_BE_RESTORED, type RootVolumesProps, replaceRoots, takeSnapshots } from "./root-volumes.ts";
import { type RunCommandProps, runCommand } from "./run-command.ts";

export interface PatchBatchProps extends Pick<RunCommandProps, "functions" | "waitSliceSeconds">, RootVolumesProps {
  /** What is done with root volumes, as the last way back. */
  readonly rootVolumes: RootVolumes;
  /** Seconds after which a host that was not committed has gone back by itself, booted and answered, if it ever does. */
  readonly trialEndsSeconds: number;
}

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
  const replaces = props.rootVolumes === "replace";
  const rollback = runCommand(scope, {
    ...props,
    command: "rollback",
    attempt: "{% $rollbackAttempt %}",
    hosts: "toRollBack",
    ...(replaces ? { assign: { lost: "{% $states.result.lost %}" } } : {}),
    onward: replaces ? restoring(scope, props, { done: rolledBack, broken }) : rolledBack,
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
  const snapshots = props.rootVolumes !== "leave";
  const apply = runCommand(scope, {
    ...props,
    command: "apply",
    hosts: "hosts",
    ...(snapshots ? { told: { snapshots: "{% $snapshots %}" } } : {}),
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
  if (snapshots)
    choice.when(
      Condition.jsonata("{% $states.input.phase = 'apply' and $not($states.input.item.dryRun = true) %}"),
      takeSnapshots(scope, props, apply),
      begin("apply", WANTED),
    );
  for (const [phase, state] of Object.entries(first))
    choice.when(
      Condition.jsonata(`{% $states.input.phase = '${phase}' %}`),
      state,
      begin(phase as BatchPhase, snapshots ? UNWANTED : {}),
    );
  return choice;
}

/**
 * Hosts that do not answer any more get their root volumes back, and must be seen to have come up from them. Not before their trial is over: a
 * host that was only cut off goes back by itself, says so when it is asked again, and keeps what it has written. In the end all are asked, also
 * those whose volume could not be replaced: what came of it is kept with what they answer.
 */
function restoring(
  scope: Construct,
  props: PatchBatchProps,
  { done, broken }: { readonly done: IChainable; readonly broken: IChainable },
): IChainable {
  const ask = { ...props, command: "rollback", hosts: "lost", whenBroken: broken } as const;
  const seeRestored = runCommand(scope, {
    ...ask,
    title: "SeeRestored",
    attempt: `{% ${ROLLBACK_AFTER_REPLACEMENT} %}`,
    told: { replaced: "{% $replaced %}" },
    onward: done,
  });
  const askAgain = runCommand(scope, {
    ...ask,
    title: "AskAgain",
    attempt: `{% ${ROLLBACK_AFTER_TRIAL} %}`,
    assign: { lost: "{% $states.result.lost %}" },
    onward: replaceRoots(scope, props, { asked: seeRestored, nobody: done }),
  });
  const trial = Wait.jsonata(scope, "TrialEnds", { time: WaitTime.duration(Duration.seconds(props.trialEndsSeconds)) });
  return Choice.jsonata(scope, "AnyLost")
    .when(Condition.jsonata(MAY_BE_RESTORED), trial.next(askAgain))
    .otherwise(done);
}

/** Apply is looked at again, for the rest of the batch; who of these commits does so by a command of their own. */
const THOSE_WAITING = { hosts: "{% $waiting %}", waiting: [], commits: "{% $commits + 1 %}" };

/** Snapshots of those that there are; null: none are wanted, as in a dry run. */
const WANTED = { snapshots: [] };
const UNWANTED = { snapshots: null };

function begin(phase: BatchPhase, more: Readonly<Record<string, unknown>>) {
  const everyHost = "{% $states.input.item.instanceIds %}";
  return {
    assign: {
      item: "{% $states.input.item %}",
      hosts: everyHost,
      toRollBack: phase === "rollback" ? everyHost : [],
      waiting: [],
      commits: 1,
      ...more,
      ...(phase === "prepare" ? {} : { rollbackAttempt: ROLLBACK_ATTEMPTS[phase] }),
      broken: null,
    },
  };
}
