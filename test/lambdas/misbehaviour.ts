import type { StepResult } from "../../contract/envelope.ts";
import { encodeResult } from "../../contract/frame.ts";
import { STEP_TIMEOUT_SECONDS, type StepName } from "../../contract/steps.ts";

/** What becomes of a step beside a result that can be read. */
export const MISBEHAVIOURS = [
  /** No answer, ever: the invocation stays in progress. */
  "silent",
  /** The same, because the instance was terminated in the middle of the step; SSM does not know it from then on. */
  "dies",
  /** SSM does not know the host when the step's command is sent. */
  "gone",
  /** The host is offline when the step's command is sent. */
  "offline",
  /** Somebody took the tag away before the step's command is sent. */
  "untagged",
  /** The SSM agent never picks up the step's command. */
  "deaf",
  /** The step does not end and is killed at its time-out. */
  "stuck",
  /** Somebody kills the step. */
  "killed",
  /** It passes, but only after a long time, as a host that reboots and comes back. */
  "late",
  /** The same, and the others of its command have answered long before. */
  "slow",
  /** What is printed is no result. */
  "garbage",
  /** The result line is cut. */
  "cut",
  /** So much is printed that neither SSM's listing nor GetCommandInvocation shows the line at its end. */
  "flood",
  /** So much is printed that only GetCommandInvocation shows the line at its end. */
  "long",
  "otherRun",
  "otherAttempt",
  "otherHost",
] as const;
export type Misbehaviour = (typeof MISBEHAVIOURS)[number];

/** Characters that ListCommandInvocations and GetCommandInvocation give of a step's standard output. */
const LISTED = 2_500;
const SHOWN = 24_000;

/** One step of an invocation as SSM tells it. */
export interface PluginSeen {
  readonly Name: StepName;
  readonly Status: string;
  readonly StatusDetails: string;
  readonly ResponseCode: number;
  readonly ResponseStartDateTime: number | undefined;
  readonly ResponseFinishDateTime: number | undefined;
  readonly Output: string;
  /** What GetCommandInvocation gives of it. */
  readonly whole: string;
}

const BEGAN = 1_767_322_800;

const NOT_BEGUN = { ResponseStartDateTime: undefined, ResponseFinishDateTime: undefined };

/** A step that ended by itself after three seconds. */
export function ended(step: StepName, stdout: string, ResponseCode: number): PluginSeen {
  const Status = ResponseCode === 0 ? "Success" : "Failed";
  const times = { ResponseStartDateTime: BEGAN, ResponseFinishDateTime: BEGAN + 3 };
  const Output = `${stdout.slice(0, LISTED)}----------ERROR-------\nlogs of ${step}\n`;
  return { Name: step, Status, StatusDetails: Status, ResponseCode, ...times, Output, whole: stdout.slice(0, SHOWN) };
}

/** A step as a host leaves it that misbehaves in it; null when SSM has nothing to say of it. @param good what it would have answered */
export function misbehaved(what: Misbehaviour, good: StepResult): PluginSeen | null {
  const { step } = good;
  const killed = (seconds: number): PluginSeen => ({
    ...ended(step, "", 137),
    Status: "TimedOut",
    StatusDetails: "ExecutionTimedOut",
    ResponseFinishDateTime: BEGAN + seconds,
  });
  const line = `${encodeResult(good)}\n`;
  const other = (over: Partial<StepResult>) => ended(step, `${encodeResult({ ...good, ...over } as StepResult)}\n`, 0);
  switch (what) {
    case "silent":
    case "dies":
    case "gone":
    case "offline":
    case "untagged":
      return null;
    case "deaf":
      return { ...ended(step, "", -1), Status: "TimedOut", StatusDetails: "DeliveryTimedOut", ...NOT_BEGUN };
    case "stuck":
      return killed(STEP_TIMEOUT_SECONDS[step]);
    case "killed":
      return killed(7);
    case "late":
    case "slow":
      return ended(step, line, 0);
    case "garbage":
      return ended(step, "Segmentation fault\n", 139);
    case "cut":
      return ended(step, line.slice(0, -40), 0);
    case "flood":
      return ended(step, `${"x".repeat(SHOWN)}\n${line}`, 0);
    case "long":
      return ended(step, `${"x".repeat(LISTED)}\n${line}`, 0);
    case "otherRun":
      return other({ runId: "run-0" });
    case "otherAttempt":
      return other({ attempt: good.attempt + 1 });
    case "otherHost":
      return other({ instanceId: "i-0000000f" });
  }
}

/** Answers to a whole command of a host that SSM takes none for. */
export function isAbsent(what: string): what is "gone" | "offline" | "untagged" {
  return what === "gone" || what === "offline" || what === "untagged";
}
