import { Duration } from "aws-cdk-lib";
import type { IBucket } from "aws-cdk-lib/aws-s3";
import {
  Choice,
  Condition,
  DistributedMap,
  Errors,
  Fail,
  type IChainable,
  IntegrationPattern,
  type IStateMachine,
  Pass,
  S3JsonItemReader,
  StateMachineType,
  Succeed,
  TaskInput,
  type TaskStateBase,
  Timeout,
  Wait,
  WaitTime,
} from "aws-cdk-lib/aws-stepfunctions";
import { StepFunctionsStartExecution } from "aws-cdk-lib/aws-stepfunctions-tasks";
import type { Construct } from "constructs";
import type { GATE_VERDICTS } from "../../contract/gates.ts";
import type { BatchPhase, Phase } from "../../contract/steps.ts";
import type { FleetFunctions } from "../constructs/fleet-functions.ts";
import { promoteLock } from "./promote-lock.ts";
import { CAUGHT, call, retryPassing } from "./tasks.ts";

export interface PatchFleetProps {
  readonly functions: FleetFunctions["byName"];
  readonly patchBatch: IStateMachine;
  readonly bucket: IBucket;
  readonly batchesAtOnce: number;
  /** Seconds to wait for the event of a decision before looking for oneself. */
  readonly waitSliceSeconds: number;
}

/**
 * One run over the fleet. Input: RunRequest; the execution's name is the run's id unless the request names one.
 *
 * Wave by wave: everyone prepares, what came of it is assessed and where it must be approved, those that passed apply, that is assessed
 * too, what the canaries proved becomes the fleet's lock, then the wave bakes and is asked once more. Before each phase the gate is asked. A
 * wave that stops the run goes back as a whole where that was asked for. However it ends, the run is reported and somebody is told; only
 * then does the execution succeed or fail.
 */
export function patchFleet(scope: Construct, props: PatchFleetProps): IChainable {
  const { functions } = props;

  const report = call(scope, "Report", {
    to: functions.report,
    payload: { runId: "{% $runId %}", error: "{% $error %}" },
    assign: { report: "{% $states.result.Payload %}" },
  });
  const notify = call(scope, "Notify", { to: functions.notify, payload: { report: "{% $report %}" } });
  const ending = ended(scope);
  report.next(notify).next(ending.byOutcome);
  // A run that cannot be reported or told of must not look like one that went well.
  report.addCatch(ending.unreported, { outputs: {}, assign: { error: CAUGHT } });
  notify.addCatch(ending.unreported, { outputs: {}, assign: { error: CAUGHT } });
  const orReport = <T extends TaskStateBase | DistributedMap>(state: T): T => {
    state.addCatch(report, { outputs: {}, assign: { error: CAUGHT } });
    return state;
  };

  const begin = Pass.jsonata(scope, "Begin", {
    assign: {
      runId: "{% $exists($states.input.runId) ? $states.input.runId : $states.context.Execution.Name %}",
      error: null,
      wave: 0,
      ...BEFORE_PREPARE,
    },
  });
  const plan = orReport(
    call(scope, "Plan", {
      to: functions.plan,
      payload: {
        executionName: "{% $states.context.Execution.Name %}",
        request: "{% $states.context.Execution.Input %}",
      },
      assign: { waves: "{% $states.result.Payload.items %}", bakeSeconds: "{% $states.result.Payload.bakeSeconds %}" },
    }),
  );
  const prepare = orReport(wavePhase(scope, "Prepare", "prepare", props));
  const assessPrepare = orReport(assess(scope, "AssessPrepare", "prepare", functions));
  const apply = orReport(wavePhase(scope, "Apply", "apply", props));
  const assessApply = orReport(assess(scope, "AssessApply", "apply", functions));
  const bake = Wait.jsonata(scope, "Bake", { time: WaitTime.seconds("{% $bakeSeconds %}") });
  const nextWave = Pass.jsonata(scope, "NextWave", { assign: { wave: "{% $wave + 1 %}", ...BEFORE_PREPARE } });

  const gate = orReport(
    call(scope, "Gate", {
      to: functions.gate,
      payload: { runId: "{% $runId %}", wave: "{% $wave %}", phase: "{% $phase %}", since: "{% $since %}" },
      assign: { gate: "{% $states.result.Payload %}", since: "{% $states.result.Payload.since %}" },
    }),
  );
  const gateWait = Wait.jsonata(scope, "GateWait", { time: WaitTime.seconds("{% $gate.waitSeconds %}") });
  const approval = orReport(askApproval(scope, props));
  const gateIs = (verdict: (typeof GATE_VERDICTS)[number], phase?: Phase) =>
    Condition.jsonata(`{% $gate.verdict = '${verdict}'${phase === undefined ? "" : ` and $phase = '${phase}'`} %}`);

  const checkBaked = orReport(wavePhase(scope, "CheckBaked", "check", props));
  const assessBaked = orReport(assess(scope, "AssessBaked", "check", functions));
  const rollBackWave = orReport(wavePhase(scope, "RollBackWave", "rollback", props));
  rollBackWave.next(report);

  const toCheck = Condition.jsonata("{% $committed = 'check' %}");
  const toRollBack = Condition.jsonata("{% $committed = 'rollBack' %}");
  const mayGoOn = Condition.jsonata("{% $decision = 'continue' %}");
  const moreWaves = Condition.jsonata("{% $decision = 'continue' and $wave + 1 < $count($waves) %}");
  begin
    .next(plan)
    .next(
      Choice.jsonata(scope, "AnyHosts").when(Condition.jsonata("{% $count($waves) > 0 %}"), gate).otherwise(report),
    );
  gate.next(
    Choice.jsonata(scope, "GateVerdict")
      .when(gateIs("open", "prepare"), prepare)
      .when(gateIs("open", "apply"), apply)
      .when(gateIs("wait"), gateWait.next(gate))
      .otherwise(report),
  );
  prepare
    .next(assessPrepare)
    .next(
      Choice.jsonata(scope, "MayApply")
        .when(Condition.jsonata("{% $decision = 'continue' and $approval = null %}"), gate, { assign: BEFORE_APPLY })
        .when(mayGoOn, approval)
        .otherwise(report),
    );
  approval.next(
    Choice.jsonata(scope, "ApprovalVerdict")
      .when(Condition.jsonata("{% $approvalVerdict = 'approved' %}"), gate, { assign: BEFORE_APPLY })
      .otherwise(report),
  );
  const onward = Choice.jsonata(scope, "MoreWaves")
    .when(moreWaves, bake)
    .when(toRollBack, rollBackWave)
    .otherwise(report);
  apply.next(assessApply).next(promoteLock(scope, { functions, guard: orReport, onward }));
  bake.next(Choice.jsonata(scope, "AnyToCheck").when(toCheck, checkBaked).otherwise(nextWave));
  checkBaked
    .next(assessBaked)
    .next(Choice.jsonata(scope, "StillWell").when(mayGoOn, nextWave).when(toRollBack, rollBackWave).otherwise(report));
  nextWave.next(gate);
  return begin;
}

/** What the gate is asked about next, and that it has not been asked yet. */
const BEFORE_PREPARE = { phase: "prepare" satisfies Phase, since: null };
const BEFORE_APPLY = { phase: "apply" satisfies Phase, since: null };

/**
 * People are told of the wave's plan, and their decision answers the token. As with a command, the event of it only shortens the wait: when a
 * slice of it is over, the same Lambda looks for itself, and ends it when the time to decide is over.
 */
function askApproval(scope: Construct, { functions, waitSliceSeconds }: PatchFleetProps) {
  const task = call(scope, "Approval", {
    to: functions["ask-approval"],
    payload: {
      runId: "{% $runId %}",
      digest: "{% $approval %}",
      taskToken: "{% $states.context.Task.Token %}",
    },
    untilAnswered: Timeout.duration(Duration.seconds(waitSliceSeconds)),
    assign: { approvalVerdict: "{% $states.result.verdict %}" },
  });
  task.addCatch(task, { errors: [Errors.TIMEOUT], outputs: {} });
  return task;
}

/** Every batch of the wave through one phase; verdicts are assess's business, so a batch that breaks does not end the others. */
function wavePhase(scope: Construct, title: string, phase: BatchPhase, props: PatchFleetProps): DistributedMap {
  const batch = StepFunctionsStartExecution.jsonata(scope, `${title}Batch`, {
    stateMachine: props.patchBatch,
    integrationPattern: IntegrationPattern.RUN_JOB,
    // A retried start finds the execution that the first one began.
    name: `{% $states.input.item.runId & '-w' & $string($states.input.item.wave) & '-b' & $string($states.input.item.batch) & '-${phase}' %}`,
    input: TaskInput.fromObject({ item: "{% $states.input.item %}", phase }),
    outputs: { batch: "{% $states.input.item.batch %}", broken: false },
  });
  retryPassing(batch);
  batch.addCatch(
    Pass.jsonata(scope, `${title}BatchBroken`, {
      comment: "Its hosts have no results, or not all: assess counts them as failed, the report as in doubt.",
      outputs: { batch: "{% $states.input.batch %}", broken: true },
    }),
    { outputs: { batch: "{% $states.input.item.batch %}" } },
  );
  const map = DistributedMap.jsonata(scope, title, {
    mapExecutionType: StateMachineType.STANDARD,
    maxConcurrency: props.batchesAtOnce,
    toleratedFailurePercentage: 100,
    itemReader: new S3JsonItemReader({
      // By name: given the bucket itself, CDK would let the machine read all of it.
      bucketNamePath: props.bucket.bucketName,
      key: `{% $waves[$wave].${phase} %}`,
    }),
    itemSelector: { item: "{% $states.context.Map.Item.Value %}" },
    outputs: {},
  });
  return map.itemProcessor(batch);
}

function assess(scope: Construct, id: string, phase: Phase, functions: FleetFunctions["byName"]) {
  return call(scope, id, {
    to: functions.assess,
    payload: { runId: "{% $runId %}", wave: "{% $wave %}", phase },
    assign: {
      decision: "{% $states.result.Payload.decision %}",
      committed: "{% $exists($states.result.Payload.committed) ? $states.result.Payload.committed : 'leave' %}",
      approval: "{% $states.result.Payload.approval %}",
    },
  });
}

/** How the execution ends once the run has been reported. */
function ended(scope: Construct) {
  const fail = (id: string, error: string) => Fail.jsonata(scope, id, { error, cause: "{% $report.sentence %}" });
  const byOutcome = Choice.jsonata(scope, "Outcome")
    .when(Condition.jsonata("{% $report.outcome = 'failed' %}"), fail("Failed", "RunFailed"))
    .when(Condition.jsonata("{% $report.outcome = 'stopped' %}"), fail("Stopped", "RunStopped"))
    .otherwise(Succeed.jsonata(scope, "Finished", { outputs: "{% $report %}" }));
  const unreported = Fail.jsonata(scope, "Unreported", {
    error: "RunUnreported",
    cause: "{% $error.name & ': ' & $error.cause %}",
  });
  return { byOutcome, unreported };
}
