import { Duration } from "aws-cdk-lib";
import { Choice, Condition, Errors, type IChainable, Timeout, Wait, WaitTime } from "aws-cdk-lib/aws-stepfunctions";
import type { Construct } from "constructs";
import type { StepName } from "../../contract/steps.ts";
import { COLLECT_VERDICTS, type CollectVerdict } from "../../contract/workflow.ts";
import type { FleetFunctions } from "../constructs/fleet-functions.ts";
import { CAUGHT, call } from "./tasks.ts";

export interface RunStepProps {
  readonly functions: FleetFunctions["byName"];
  readonly step: StepName;
  /** Variable that holds the ids of the hosts to address. */
  readonly hosts: "hosts" | "toRollBack";
  /** Seconds to wait for the command's event before looking for oneself. */
  readonly waitSliceSeconds: number;
  readonly pauseSeconds: number;
  /** Where the batch goes when the hosts have answered. */
  readonly onward: Readonly<Record<Exclude<CollectVerdict, "pending">, IChainable>>;
  /** Where it goes when the machinery itself fails; `$broken` says how. */
  readonly whenBroken: IChainable;
}

/**
 * One step for the hosts of a batch: dispatch, await, collect, and again await while hosts may still answer. The event only shortens the
 * wait: when it is lost the slice ends; when it came early, await has looked; when it comes twice, its token is used up.
 */
export function runStep(scope: Construct, props: RunStepProps): IChainable {
  const { step, functions } = props;
  const title = step.charAt(0).toUpperCase() + step.slice(1);
  const asked = { item: "{% $item %}", step, attempt: 1, instanceIds: `{% $${props.hosts} %}` };

  const dispatch = call(scope, `${title}Dispatch`, {
    to: functions.dispatch,
    payload: asked,
    assign: {
      commandId: "{% $states.result.Payload.commandId %}",
      deadline: "{% $states.result.Payload.deadline %}",
      undeliverable: "{% $states.result.Payload.undeliverable %}",
    },
  });
  const wait = call(scope, `${title}Await`, {
    to: functions.await,
    payload: { commandId: "{% $commandId %}", taskToken: "{% $states.context.Task.Token %}" },
    untilAnswered: Timeout.duration(Duration.seconds(props.waitSliceSeconds)),
  });
  const collect = call(scope, `${title}Collect`, {
    to: functions.collect,
    payload: {
      ...asked,
      commandId: "{% $commandId %}",
      deadline: "{% $deadline %}",
      undeliverable: "{% $undeliverable %}",
      toRollBack: "{% $toRollBack %}",
    },
    assign: {
      verdict: "{% $states.result.Payload.verdict %}",
      // While hosts are still out, the answer's lists are those it was asked with.
      ...(props.hosts === "hosts"
        ? {
            hosts: "{% $states.result.Payload.instanceIds %}",
            toRollBack: "{% $states.result.Payload.toRollBack %}",
          }
        : {}),
    },
  });
  // Without a pause, a command that has ended while a result is not visible yet would be asked for as fast as Lambda answers.
  const pause = Wait.jsonata(scope, `${title}Pause`, { time: WaitTime.duration(Duration.seconds(props.pauseSeconds)) });
  const choice = Choice.jsonata(scope, `${title}Verdict`);

  const branches: Record<CollectVerdict, IChainable> = { pending: pause, ...props.onward };
  for (const verdict of COLLECT_VERDICTS) {
    choice.when(Condition.jsonata(`{% $verdict = '${verdict}' %}`), branches[verdict]);
  }
  wait.addCatch(collect, { errors: [Errors.TIMEOUT], outputs: {} });
  for (const task of [dispatch, wait, collect]) {
    task.addCatch(props.whenBroken, { outputs: {}, assign: { broken: CAUGHT } });
  }
  pause.next(wait);
  return dispatch.next(wait).next(collect).next(choice);
}
