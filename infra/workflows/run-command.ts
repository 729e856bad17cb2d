import { Duration } from "aws-cdk-lib";
import { Choice, Condition, Errors, type IChainable, Timeout } from "aws-cdk-lib/aws-stepfunctions";
import type { Construct } from "constructs";
import type { CommandName } from "../../contract/steps.ts";
import { COMMAND_VERDICTS, type CommandVerdict } from "../../contract/workflow.ts";
import type { FleetFunctions } from "../constructs/fleet-functions.ts";
import { CAUGHT, call } from "./tasks.ts";

export interface RunCommandProps {
  readonly functions: FleetFunctions["byName"];
  readonly command: CommandName;
  /** Which time it is that the batch sends this command: a number, or JSONata. @default 1 */
  readonly attempt?: string;
  /** Variable that holds the ids of the hosts to address. */
  readonly hosts: "hosts" | "toRollBack" | "lost";
  /** Seconds to wait for the command's event before looking for oneself. */
  readonly waitSliceSeconds: number;
  /** Where the batch goes when the hosts have answered, by verdict or in any case; it ends there when nothing is given. */
  readonly onward?: Readonly<Record<CommandVerdict, IChainable>> | IChainable;
  /** Where it goes when the machinery itself fails; `$broken` says how. */
  readonly whenBroken: IChainable;
  /** Name of its state. @default the command's */
  readonly title?: string;
  /** What dispatch is told beside the usual, in JSONata. */
  readonly told?: Readonly<Record<string, string>>;
  /** Variables that its end sets beside the usual, in JSONata. */
  readonly assign?: Readonly<Record<string, string>>;
}

/**
 * One command for the hosts of a batch: sent, then waited for by a task token that the command's event answers. The event only shortens
 * the wait: when it is lost the slice ends, and the same Lambda looks for itself; when it comes twice, its token is used up.
 */
export function runCommand(scope: Construct, props: RunCommandProps): IChainable {
  const { command, functions, onward } = props;
  const { title = command.charAt(0).toUpperCase() + command.slice(1) } = props;
  const assign = {
    ...(props.hosts === "hosts" ? ANSWERED : {}),
    ...(command === "apply" ? STILL_WAITING : {}),
    ...props.assign,
  };
  const task = call(scope, title, {
    to: functions.dispatch,
    payload: {
      item: "{% $item %}",
      command,
      attempt: props.attempt ?? 1,
      instanceIds: `{% $${props.hosts} %}`,
      toRollBack: "{% $toRollBack %}",
      taskToken: "{% $states.context.Task.Token %}",
      ...props.told,
    },
    untilAnswered: Timeout.duration(Duration.seconds(props.waitSliceSeconds)),
    ...(Object.keys(assign).length === 0 ? {} : { assign }),
  });
  task.addCatch(task, { errors: [Errors.TIMEOUT], outputs: {} });
  task.addCatch(props.whenBroken, { outputs: {}, assign: { broken: CAUGHT } });
  if (onward === undefined) return task;
  return task.next(isByVerdict(onward) ? byVerdict(scope, title, onward) : onward);
}

/** What the token was answered with. */
const ANSWERED = {
  verdict: "{% $states.result.verdict %}",
  hosts: "{% $states.result.instanceIds %}",
  toRollBack: "{% $states.result.toRollBack %}",
};

/** Only hosts that apply are not all waited for; whoever commits in the meantime changes nothing of that. */
const STILL_WAITING = { waiting: "{% $states.result.waiting %}" };

function isByVerdict(
  onward: Readonly<Record<CommandVerdict, IChainable>> | IChainable,
): onward is Readonly<Record<CommandVerdict, IChainable>> {
  return "proceed" in onward;
}

function byVerdict(scope: Construct, title: string, onward: Readonly<Record<CommandVerdict, IChainable>>): IChainable {
  const choice = Choice.jsonata(scope, `${title}Verdict`);
  for (const verdict of COMMAND_VERDICTS) {
    choice.when(Condition.jsonata(`{% $verdict = '${verdict}' %}`), onward[verdict]);
  }
  return choice;
}
