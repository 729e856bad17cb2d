import { failed, type StepOutcome, type StepResult } from "../../contract/envelope.ts";
import { asFailure, EXIT, FAILURES, Failure, REBOOT_EXIT } from "../../contract/failures.ts";
import { encodeResult } from "../../contract/frame.ts";
import { hostKind } from "../../contract/names.ts";
import { decodeRequest, type HostRequest, stepExpiry } from "../../contract/request.ts";
import type { StepReport } from "../../contract/step-report.ts";
import { STEP_TIMEOUT_SECONDS, STEPS, StepName } from "../../contract/steps.ts";
import { type Config, fleetTrust, readConfig } from "../host/config.ts";
import { nativeArchitecture } from "../host/dpkg.ts";
import { bootId, osRelease } from "../host/identity.ts";
import { type Instance, readInstance } from "../host/instance.ts";
import { localMachine, requireRoot } from "../host/local-machine.ts";
import type { Machine } from "../host/machine.ts";
import { RebootNow, type StepAnswer, type StepContext } from "../patch/step.ts";
import { recordViolation } from "../security/violations.ts";
import { recordOperation } from "../telemetry/history.ts";
import { AGENT_VERSION } from "../version.ts";
import type { Declaration } from "./declaration.ts";
import { recorded, runOnce, StillRunning } from "./once.ts";
import { readFlags, suggestion, Usage } from "./program.ts";
import { stepContext } from "./step-context.ts";
import { STEP_CODE } from "./steps.ts";

export const declaration = {
  name: "autopatch step",
  summary: "do one step of a run, as SSM asks for it",
  about: `What SSM calls on the host: does one step of a run and prints its result as the last line of stdout. A step whose request names others before it is done only when they passed; else it prints nothing and exits 0. NAME is one of ${STEPS.join(", ")}.`,
  usage: ["NAME --request BASE64URL"],
  flags: { request: { type: "string", value: "BASE64URL", meaning: "the request, one JSON object" } },
  exits: [...new Set(Object.values(FAILURES).map(({ exit }) => exit))],
} as const satisfies Declaration;

/** Room for the answer itself before the SSM agent's time-out. */
const MARGIN_MS = 30_000;

export async function run(args: readonly string[]): Promise<number> {
  const { flags, words } = readFlags(declaration.name, declaration.flags, args, 1);
  const parsed = StepName.safeParse(words[0]);
  if (!parsed.success)
    throw new Usage(`autopatch step: unknown step ${words[0] ?? ""}${suggestion(words[0] ?? "", STEPS)}`);
  if (flags.request === undefined) throw new Usage("autopatch step: --request is missing");
  const call = new Date();
  const answered = await answer(parsed.data, flags.request, call).catch((error) => {
    if (error instanceof RebootNow || error instanceof NotReached) return error;
    throw error;
  });
  // SSM reboots the host and runs this very step again.
  if (answered instanceof RebootNow) return REBOOT_EXIT;
  if (answered instanceof NotReached) {
    process.stderr.write(`autopatch step: ${answered.message}\n`);
    return EXIT.ok;
  }
  const { report, machine } = answered;
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
    const config = readConfig(machine, process.env);
    machine = localMachine("step", config);
    const instance = await readInstance(process.env, config);
    who = { ...who, instanceId: instance.instanceId };
    requireOurs(request, step, instance, machine.clock.now());
    requireReached(machine, request, step);
    const key = { runId: request.runId, step, attempt: request.attempt };
    const maxWait = STEP_TIMEOUT_SECONDS[step] * 1000 - MARGIN_MS;
    const { report, repeated } = await runOnce(machine, key, maxWait, () =>
      doStep(machine, config, { ...request, step }, instance, startedAt),
    );
    if (repeated) machine.log.info(`${step} of ${request.runId} was done already: the same answer again`);
    return { report, machine };
  } catch (error) {
    if (error instanceof RebootNow || error instanceof NotReached) throw error;
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
function requireOurs(request: HostRequest, step: StepName, instance: Instance, now: Date): void {
  if (!request.steps.includes(step))
    throw new Failure(
      "requestInvalid",
      `the request is for ${request.steps.join(", ")}, the document asks for ${step}`,
    );
  const expiry = stepExpiry(request, step);
  if (expiry <= now) {
    const [then, its] = [expiry.toISOString(), now.toISOString()];
    throw new Failure("requestExpired", `the request for ${step} expired at ${then}; now it is ${its}`);
  }
  if (!request.instanceIds.includes(instance.instanceId)) {
    throw new Failure(
      "requestNotForThisHost",
      `this is ${instance.instanceId}, the request names ${request.instanceIds.join(", ")}`,
    );
  }
}

/** An earlier step of the command has given the host's answer already. */
class NotReached extends Error {
  override readonly name = "NotReached";
}

/**
 * SSM goes on to the next step of a document whatever became of the one before it.
 * @throws NotReached
 */
function requireReached(machine: Machine, { runId, steps, attempt }: HostRequest, step: StepName): void {
  const before = steps[steps.indexOf(step) - 1];
  if (before === undefined) return;
  const outcome = recorded(machine, { runId, step: before, attempt })?.result.outcome ?? "no answer";
  if (outcome === "succeeded" || outcome === "rebootRequired") return;
  throw new NotReached(`${step} of ${runId} is not reached: ${before} came to ${outcome}`);
}

type StepRequest = HostRequest & { readonly step: StepName };

async function doStep(
  machine: Machine,
  config: Config,
  request: StepRequest,
  instance: Instance,
  startedAt: Date,
): Promise<StepReport> {
  const { step } = request;
  machine.log.info(`${step} of ${request.runId}, attempt ${request.attempt}${request.dryRun ? ", dry run" : ""}`);
  const { region } = instance;
  const cloud = region === null ? {} : { cloud: { bucket: request.bucket, region, config } };
  const fleet = fleetTrust(config, request.fleet);
  const { context, timings } = stepContext(machine, {
    runId: request.runId,
    dryRun: request.dryRun,
    policy: request.policy,
    fleet,
    offerDebs: request.offerDebs === true,
    ...cloud,
    ...(await fleetLockOf(machine, request, cloud)),
  });
  const { outcome, details } = await carryOut(step, context);
  const who = { ...request, instanceId: instance.instanceId };
  const local = { ...reportOf(machine, who, step, startedAt, outcome), ...details, timings };
  recordOperation(machine, local.result);
  return { ...local, result: { ...local.result, reportKey: await upload(machine, config, request, instance, local) } };
}

/** How the fleet lock for hosts of this kind is got, where the run brought fleet locks. */
async function fleetLockOf(
  machine: Machine,
  { fleetLocks, policy }: HostRequest,
  { cloud }: Pick<StepContext, "cloud">,
): Promise<Pick<StepContext, "fleetLock" | "unproven">> {
  if (fleetLocks === undefined) return {};
  const kind = hostKind({ release: osRelease(machine).release, architecture: await nativeArchitecture(machine) });
  if (!fleetLocks.kinds.includes(kind)) return policy.fleetLock === "whereProven" ? {} : { unproven: kind };
  const get = async () => {
    if (cloud === undefined)
      throw new Failure(
        "downloadFailed",
        "nobody says in which Region the fleet lock is: set AWS_REGION in autopatch.conf",
      );
    return (await import("../host/fetch-fleet-lock.ts")).fetchFleetLock(cloud, `${fleetLocks.prefix}${kind}.txt`);
  };
  return { fleetLock: get };
}

async function carryOut(step: StepName, context: StepContext): Promise<StepAnswer<StepName>> {
  try {
    const answer = await (await STEP_CODE[step]())(context);
    const { outcome } = answer;
    if (outcome.outcome === "failed")
      recordViolation(context.machine, context.runId, new Failure(outcome.code, outcome.message));
    return answer;
  } catch (error) {
    if (error instanceof RebootNow) throw error;
    const failure = asFailure(error);
    recordViolation(context.machine, context.runId, failure);
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
