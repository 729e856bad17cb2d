import { CONTRACT_VERSION, failed, type StepResult } from "../../contract/envelope.ts";
import { FAILURES, type FailureCode } from "../../contract/failures.ts";
import { decodeResult } from "../../contract/frame.ts";
import type { SendRefusal } from "../../contract/run.ts";
import { COMMANDS, type CommandName, STEP_TIMEOUT_SECONDS, type StepName } from "../../contract/steps.ts";
import { passed } from "./host-outcome.ts";

/** What SSM says of one host of a command. */
export interface Invocation {
  readonly instanceId: string;
  /** SSM's StatusDetails, without spaces: `Success`, `DeliveryTimedOut`, … */
  readonly status: string;
  /** The steps of the document, by their names. */
  readonly steps: Readonly<Record<string, InvokedStep>>;
}

export interface InvokedStep {
  /** As the invocation's. */
  readonly status: string;
  /** Exit code of the step; -1 while there is none. */
  readonly exitCode: number;
  /** The host had begun it when this was seen. */
  readonly started: boolean;
  /** Seconds it ran; absent where SSM does not say. */
  readonly seconds?: number;
  /** Standard output, without what went to standard error. */
  readonly stdout: string;
}

/** What a host was asked; an answer to anything else is no answer. */
export interface Asked {
  readonly runId: string;
  readonly step: StepName;
  readonly attempt: number;
  readonly dryRun: boolean;
}

/**
 * A host's results of a command: those of its steps up to the first that did not pass. `pending` while the host may still answer. Pure.
 * @param invocation undefined when SSM does not list the host, which right after sending means nothing
 */
export function resultsOf(
  instanceId: string,
  invocation: Invocation | undefined,
  { command, ...asked }: Omit<Asked, "step"> & { readonly command: CommandName },
  now: Date,
  deadline: Date,
): StepResult[] | "pending" {
  const isOut = invocation === undefined || !hasEnded(invocation);
  if (isOut && now < deadline) return "pending";
  const results: StepResult[] = [];
  for (const step of COMMANDS[command]) {
    const invoked = invocation?.steps[step];
    const result = resultOf(instanceId, invocation, invoked, { ...asked, step }, { now, deadline });
    results.push(result);
    if (!passed(result)) break;
  }
  return results;
}

const STILL_OUT: ReadonlySet<string> = new Set(["Pending", "InProgress", "Delayed", "Cancelling"]);
const NEVER_ARRIVED: ReadonlySet<string> = new Set(["Undeliverable", "InvalidPlatform", "AccessDenied"]);
const CALLED_OFF: ReadonlySet<string> = new Set(["Cancelled", "Terminated"]);

/** SSM has no more to say about it. */
export function hasEnded({ status }: Pick<Invocation, "status">): boolean {
  return !STILL_OUT.has(status);
}

/** What a host printed for a step, when that can be read and answers what was asked; otherwise the failure that SSM's status amounts to. */
function resultOf(
  instanceId: string,
  invocation: Invocation | undefined,
  invoked: InvokedStep | undefined,
  asked: Asked,
  { now, deadline }: { readonly now: Date; readonly deadline: Date },
): StepResult {
  const decoded = decodeResult(invoked?.stdout ?? "");
  if (!decoded.ok) {
    if (invocation === undefined || !hasEnded(invocation)) {
      const seen = invocation === undefined ? "SSM knows of no invocation" : `SSM says ${invocation.status}`;
      return withoutAnswer(instanceId, asked, now, lost(asked.step), `no answer by ${deadline.toISOString()}; ${seen}`);
    }
    // A step that was not begun shares the fate of the command.
    const of = invoked?.started ? invoked : { exitCode: -1, started: false, status: invocation.status };
    const [code, message] = meaningOf(of, asked.step, decoded.why);
    return withoutAnswer(instanceId, asked, now, code, message);
  }
  const wrong = misfit(instanceId, decoded.result, asked);
  return wrong === null ? decoded.result : withoutAnswer(instanceId, asked, now, "resultForeign", wrong);
}

const REFUSED_BECAUSE: Readonly<Record<SendRefusal, string>> = {
  undeliverable: "it is offline",
  hostGone: FAILURES.hostGone.meaning,
  notEnrolled: FAILURES.notEnrolled.meaning,
  snapshotFailed: FAILURES.snapshotFailed.meaning,
};

/** The result of a host that SSM would not send the command to. @param why @default `undeliverable` */
export function refusedBy(
  instanceId: string,
  { command, ...asked }: Omit<Asked, "step"> & { readonly command: CommandName },
  now: Date,
  why: SendRefusal = "undeliverable",
): StepResult {
  const message =
    why === "snapshotFailed" ? REFUSED_BECAUSE[why] : `SSM refused the command for this host: ${REFUSED_BECAUSE[why]}`;
  return withoutAnswer(instanceId, { ...asked, step: COMMANDS[command][0] }, now, why, message);
}

/** The result of a host that did not give one itself. */
export function withoutAnswer(
  instanceId: string,
  { runId, step, attempt, dryRun }: Asked,
  now: Date,
  code: FailureCode,
  message: string,
): StepResult {
  return {
    contractVersion: CONTRACT_VERSION,
    runId,
    step,
    attempt,
    instanceId,
    bootId: "",
    agentVersion: "",
    startedAt: now.toISOString(),
    durationMs: 0,
    dryRun,
    reportKey: null,
    ...failed({ code, message }),
  } as StepResult;
}

/** SSM's times are in whole seconds, at both ends. */
const TIMER_SLACK_SECONDS = 5;

/** Steps of which more can be said than that they were killed at their time-out. */
const OUT_OF_TIME: Readonly<Partial<Record<StepName, FailureCode>>> = {
  install: "installTimedOut",
  reboot: "rebootFailed",
};

/** What it amounts to that a host says no more: of one that went down for a reboot, that it did not come back. */
function lost(step: StepName): FailureCode {
  return step === "reboot" ? "rebootFailed" : "noAnswer";
}

function meaningOf(
  { status, exitCode, started, seconds }: Omit<InvokedStep, "stdout">,
  step: StepName,
  why: string,
): [FailureCode, string] {
  if (NEVER_ARRIVED.has(status)) return ["undeliverable", `SSM says ${status}`];
  if (status === "DeliveryTimedOut") return ["notPickedUp", `SSM says ${status}`];
  if (CALLED_OFF.has(status))
    return started
      ? ["noAnswer", `SSM says ${status} after the step had begun`]
      : ["notStarted", `SSM says ${status} before the step began`];
  // The agent kills a step at its time-out with SIGKILL, and reports one killed by anyone else in the same way: the time it ran tells.
  if (status === "TimedOut" || status === "ExecutionTimedOut" || exitCode === 137) {
    const early = seconds !== undefined && seconds < STEP_TIMEOUT_SECONDS[step] - TIMER_SLACK_SECONDS;
    const after = seconds === undefined ? "" : ` after ${seconds} s`;
    return [
      early ? "stepKilled" : (OUT_OF_TIME[step] ?? "stepTimedOut"),
      `SSM says ${status}: the step was killed${after} (exit ${exitCode})`,
    ];
  }
  return ["resultUnreadable", `${why}; SSM says ${status}, exit ${exitCode}`];
}

function misfit(instanceId: string, result: StepResult, asked: Asked): string | null {
  const pairs = [
    ["instanceId", result.instanceId, instanceId],
    ["runId", result.runId, asked.runId],
    ["step", result.step, asked.step],
    ["attempt", result.attempt, asked.attempt],
    ["dryRun", result.dryRun, asked.dryRun],
  ] as const;
  const wrong = pairs.find(([, got, expected]) => got !== expected);
  return wrong === undefined ? null : `the answer's ${wrong[0]} is ${wrong[1]}, asked was ${wrong[2]}`;
}
