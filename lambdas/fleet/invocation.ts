import { CONTRACT_VERSION, failed, type StepResult } from "../../contract/envelope.ts";
import type { FailureCode } from "../../contract/failures.ts";
import { decodeResult } from "../../contract/frame.ts";
import type { StepName } from "../../contract/steps.ts";

/** What SSM says of one host of a command. */
export interface Invocation {
  readonly instanceId: string;
  /** SSM's StatusDetails, without spaces: `Success`, `DeliveryTimedOut`, … */
  readonly status: string;
  /** Exit code of the step; -1 while there is none. */
  readonly exitCode: number;
  /** The host had begun when this was seen. */
  readonly started: boolean;
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

const STILL_OUT: ReadonlySet<string> = new Set(["Pending", "InProgress", "Delayed", "Cancelling"]);
const NEVER_ARRIVED: ReadonlySet<string> = new Set([
  "Undeliverable",
  "DeliveryTimedOut",
  "InvalidPlatform",
  "AccessDenied",
]);
const CALLED_OFF: ReadonlySet<string> = new Set(["Cancelled", "Terminated"]);

/** SSM has no more to say about it. */
export function hasEnded({ status }: Pick<Invocation, "status">): boolean {
  return !STILL_OUT.has(status);
}

/**
 * A host's result: what it printed when that can be read and answers what was asked, otherwise the failure that SSM's status
 * amounts to. `pending` while the host may still answer. Pure.
 * @param invocation undefined when SSM does not list the host, which right after sending means nothing
 */
export function resultOf(
  instanceId: string,
  invocation: Invocation | undefined,
  asked: Asked,
  now: Date,
  deadline: Date,
): StepResult | "pending" {
  if (invocation === undefined || !hasEnded(invocation)) {
    if (now < deadline) return "pending";
    const seen = invocation === undefined ? "SSM knows of no invocation" : `SSM says ${invocation.status}`;
    return withoutAnswer(instanceId, asked, now, "noAnswer", `no answer by ${deadline.toISOString()}; ${seen}`);
  }
  const decoded = decodeResult(invocation.stdout);
  if (!decoded.ok) {
    const [code, message] = meaningOf(invocation, asked.step, decoded.why);
    return withoutAnswer(instanceId, asked, now, code, message);
  }
  const wrong = misfit(instanceId, decoded.result, asked);
  return wrong === null ? decoded.result : withoutAnswer(instanceId, asked, now, "resultUnreadable", wrong);
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

function meaningOf({ status, exitCode, started }: Invocation, step: StepName, why: string): [FailureCode, string] {
  if (NEVER_ARRIVED.has(status)) return ["undeliverable", `SSM says ${status}`];
  if (CALLED_OFF.has(status))
    return started
      ? ["noAnswer", `SSM says ${status} after the step had begun`]
      : ["notStarted", `SSM says ${status} before the step began`];
  // The agent kills a step at its time-out with SIGKILL, and reports one killed by anyone else in the same way.
  if (status === "TimedOut" || status === "ExecutionTimedOut" || exitCode === 137)
    return [
      step === "install" ? "installTimedOut" : "noAnswer",
      `SSM says ${status}: the step was killed (exit ${exitCode})`,
    ];
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
