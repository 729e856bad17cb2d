import { failed, type StepOutcome, type StepResult } from "../../contract/envelope.ts";
import { asFailure, EXIT, FAILURES, Failure } from "../../contract/failures.ts";
import { encodeResult } from "../../contract/frame.ts";
import { decodeRequest, type StepRequest } from "../../contract/request.ts";
import type { StepReport } from "../../contract/step-report.ts";
import { STEP_TIMEOUT_SECONDS, STEPS, StepName } from "../../contract/steps.ts";
import { type Config, readConfig } from "../host/config.ts";
import { bootId } from "../host/identity.ts";
import { type Instance, readInstance } from "../host/instance.ts";
import { localMachine, requireRoot } from "../host/local-machine.ts";
import type { Machine } from "../host/machine.ts";
import type { StepAnswer, StepContext } from "../patch/step.ts";
import { recordViolation } from "../security/violations.ts";
import { recordOperation } from "../telemetry/history.ts";
import { AGENT_VERSION } from "../version.ts";
import { runOnce, StillRunning } from "./once.ts";
import { readFlags, suggestion, Usage } from "./program.ts";
import { stepContext } from "./step-context.ts";
import { STEP_CODE } from "./steps.ts";

export const help = `autopatch step NAME --request BASE64URL

What SSM calls on the host: does one step of a run and prints its result as the last line of stdout.
NAME is one of ${STEPS.join(", ")}.
`;

/** Room for the answer itself before the SSM agent's time-out. */
const MARGIN_MS = 30_000;

export async function run(args: readonly string[]): Promise<number> {
  const { flags, words } = readFlags("autopatch step", { request: { type: "string" } }, args, 1);
  const parsed = StepName.safeParse(words[0]);
  if (!parsed.success)
    throw new Usage(`autopatch step: unknown step ${words[0] ?? ""}${suggestion(words[0] ?? "", STEPS)}`);
  if (flags.request === undefined) throw new Usage("autopatch step: --request is missing");
  const call = new Date();
  const { report, machine } = await answer(parsed.data, flags.request, call);
  machine.log.info(`${parsed.data}: ${report.result.outcome}`);
  process.stdout.write(`${encodeResult(report.result)}\n`);
  return exitOf(report.result);
}

async function answer(
  step: StepName,
  text: string,
  startedAt: Date,
): Promise<{ report: StepReport; machine: Machine }> {
  let machine = localMachine("step", { AUTOPATCH_LOG_LEVEL: "info" });
  let who: Who = { runId: "unknown", attempt: 1, dryRun: false, instanceId: "unknown" };
  try {
    const request = decodeRequest(text);
    who = { ...request, instanceId: who.instanceId };
    requireRoot();
    const config = readConfig(machine);
    machine = localMachine("step", config);
    const instance = await readInstance(process.env, config);
    who = { ...who, instanceId: instance.instanceId };
    requireOurs(request, step, instance, machine.clock.now());
    const key = { runId: request.runId, step, attempt: request.attempt };
    const maxWait = STEP_TIMEOUT_SECONDS[step] * 1000 - MARGIN_MS;
    const { report, repeated } = await runOnce(machine, key, maxWait, () =>
      doStep(machine, config, request, instance, startedAt),
    );
    if (repeated) machine.log.info(`${step} of ${request.runId} was done already: the same answer again`);
    return { report, machine };
  } catch (error) {
    if (error instanceof StillRunning) {
      const reasons = [{ code: "stepRunning", message: error.message }];
      return { report: reportOf(machine, who, step, startedAt, { outcome: "blocked", reasons }), machine };
    }
    const failure = asFailure(error);
    machine.log.error(`${failure.code}: ${failure.message}`);
    recordViolation(machine, who.runId, failure);
    return { report: reportOf(machine, who, step, startedAt, failed(failure)), machine };
  }
}

/** @throws Failure `requestInvalid`, `requestExpired`, `requestNotForThisHost` */
function requireOurs(request: StepRequest, step: StepName, instance: Instance, now: Date): void {
  if (request.step !== step) {
    throw new Failure("requestInvalid", `the request is for step ${request.step}, the document is that of ${step}`);
  }
  if (new Date(request.expiresAt) <= now) {
    throw new Failure("requestExpired", `the request expired at ${request.expiresAt}; now it is ${now.toISOString()}`);
  }
  if (!request.instanceIds.includes(instance.instanceId)) {
    throw new Failure(
      "requestNotForThisHost",
      `this is ${instance.instanceId}, the request names ${request.instanceIds.join(", ")}`,
    );
  }
}

async function doStep(
  machine: Machine,
  config: Config,
  request: StepRequest,
  instance: Instance,
  startedAt: Date,
): Promise<StepReport> {
  const { step } = request;
  machine.log.info(`${step} of ${request.runId}, attempt ${request.attempt}${request.dryRun ? ", dry run" : ""}`);
  const { context, timings } = stepContext(machine, request);
  const { outcome, details } = await carryOut(step, context);
  const who = { ...request, instanceId: instance.instanceId };
  const local = { ...reportOf(machine, who, step, startedAt, outcome), ...details, timings };
  recordOperation(machine, local.result);
  return { ...local, result: { ...local.result, reportKey: await upload(machine, config, request, instance, local) } };
}

async function carryOut(step: StepName, context: StepContext): Promise<StepAnswer<StepName>> {
  try {
    return await (await STEP_CODE[step]())(context);
  } catch (error) {
    const failure = asFailure(error);
    context.machine.log.error(`${step}: ${failure.code}: ${failure.message}`);
    if (failure.code === "internal" && failure.stack !== undefined)
      context.machine.log.error(String(failure.cause instanceof Error ? failure.cause.stack : failure.stack));
    return { outcome: failed(failure), details: {} };
  }
}

/** An upload that fails changes nothing about the step: the report stays on the host, and its key is null. */
async function upload(
  machine: Machine,
  config: Config,
  request: StepRequest,
  instance: Instance,
  report: StepReport,
): Promise<string | null> {
  const { bucket, runId, step, attempt } = request;
  try {
    if (instance.region === null) throw new Error("nobody says which Region this is: set AWS_REGION in autopatch.conf");
    const { uploadReport } = await import("../host/report-upload.ts");
    return await uploadReport({ bucket, runId, step, attempt, region: instance.region }, config, (reportKey) =>
      JSON.stringify({ ...report, result: { ...report.result, reportKey } }),
    );
  } catch (error) {
    machine.log.warn(`the report of ${step} could not be put into ${bucket}: ${(error as Error).message}`);
    return null;
  }
}

type Who = Pick<StepResult, "runId" | "attempt" | "dryRun" | "instanceId">;

function reportOf(machine: Machine, who: Who, step: StepName, startedAt: Date, outcome: StepOutcome): StepReport {
  const result = {
    contractVersion: 1,
    step,
    runId: who.runId,
    attempt: who.attempt,
    instanceId: who.instanceId,
    bootId: bootId(machine),
    agentVersion: AGENT_VERSION,
    startedAt: startedAt.toISOString(),
    durationMs: Math.max(0, machine.clock.now().getTime() - startedAt.getTime()),
    dryRun: who.dryRun,
    reportKey: null,
    ...outcome,
  } as const;
  return { result, timings: [] };
}

function exitOf(result: StepResult): number {
  if (result.outcome === "failed") return EXIT[FAILURES[result.code].exit];
  return result.outcome === "blocked" ? EXIT.blocked : EXIT.ok;
}
