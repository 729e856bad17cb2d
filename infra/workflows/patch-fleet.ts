import type { IBucket } from "aws-cdk-lib/aws-s3";
import {
  Choice,
  Condition,
  DistributedMap,
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
  Wait,
  WaitTime,
} from "aws-cdk-lib/aws-stepfunctions";
import { StepFunctionsStartExecution } from "aws-cdk-lib/aws-stepfunctions-tasks";
import type { Construct } from "constructs";
import type { Phase } from "../../contract/steps.ts";
import type { FleetFunctions } from "../constructs/fleet-functions.ts";
import { CAUGHT, call, retryPassing } from "./tasks.ts";

export interface PatchFleetProps {
  readonly functions: FleetFunctions["byName"];
  readonly patchBatch: IStateMachine;
  readonly bucket: IBucket;
  readonly batchesAtOnce: number;
}

/**
 * One run over the fleet. Input: RunRequest; the execution's name is the run's id unless the request names one.
 *
 * Wave by wave: everyone prepares, what came of it is assessed, those that passed apply, that is assessed too, then the wave bakes. However
 * it ends, the run is reported and somebody is told; only then does the execution succeed or fail.
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
  const nextWave = Pass.jsonata(scope, "NextWave", { assign: { wave: "{% $wave + 1 %}" } });

  const mayGoOn = Condition.jsonata("{% $decision = 'continue' %}");
  const moreWaves = Condition.jsonata("{% $decision = 'continue' and $wave + 1 < $count($waves) %}");
  begin
    .next(plan)
    .next(
      Choice.jsonata(scope, "AnyHosts").when(Condition.jsonata("{% $count($waves) > 0 %}"), prepare).otherwise(report),
    );
  prepare.next(assessPrepare).next(Choice.jsonata(scope, "MayApply").when(mayGoOn, apply).otherwise(report));
  apply.next(assessApply).next(Choice.jsonata(scope, "MoreWaves").when(moreWaves, bake).otherwise(report));
  bake.next(nextWave).next(prepare);
  return begin;
}

/** Every batch of the wave through one phase; verdicts are assess's business, so a batch that breaks does not end the others. */
function wavePhase(scope: Construct, title: string, phase: Phase, props: PatchFleetProps): DistributedMap {
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
    assign: { decision: "{% $states.result.Payload.decision %}" },
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
