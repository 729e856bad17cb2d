import { failed, type StepOutcome, type StepResult } from "../../contract/envelope.ts";
import type { FailureCode } from "../../contract/failures.ts";
import { encodeResult } from "../../contract/frame.ts";
import { KEYS } from "../../contract/names.ts";
import { DEFAULT_TRIAL_SECONDS, type HostRequest, stepExpiry } from "../../contract/request.ts";
import { STEP_TIMEOUT_SECONDS, type StepName } from "../../contract/steps.ts";
import { sequence } from "./random.ts";
import { resultOf, succeeded } from "./step-data.ts";

/**
 * What goes wrong on a host when it comes to a step. fails: it says so. hangs: it never ends, the SSM agent kills it. vanishes: its agent
 * answers no more. gone: terminated, SendCommand refuses it. garbage: it did its work, and prints what nobody can read.
 */
export type HostFault =
  | { readonly kind: "fails"; readonly step: StepName; readonly code: FailureCode; readonly rolledBack: boolean }
  | { readonly kind: "hangs" | "vanishes" | "gone" | "garbage"; readonly step: StepName };

/** What the host really is. open: it began to change, and nothing has ended the change. */
export type HostTruth = "old" | "open" | "committed" | "restored";

/** A step of a command as SSM sees it end. */
export interface HostStep {
  readonly name: StepName;
  readonly status: "Success" | "Failed" | "TimedOut";
  readonly exitCode: number;
  readonly stdout: string;
  /** Null when the host never came to it. */
  readonly startedAt: Date | null;
}
/** `steps` null: the host answers no more. */
export interface HostAnswer {
  readonly steps: readonly HostStep[] | null;
  readonly seconds: number;
}

interface Done {
  readonly result: StepResult | null;
  readonly step: HostStep;
  readonly endsMs: number;
}

/** Seconds that a step takes: least, and how much longer at most. */
const LASTS: Readonly<Record<StepName, readonly [least: number, more: number]>> = {
  preflight: [10, 30],
  download: [20, 100],
  verify: [3, 7],
  rehearse: [40, 160],
  backup: [10, 50],
  install: [40, 200],
  reboot: [1, 1],
  validate: [10, 30],
  commit: [2, 3],
  check: [10, 30],
  rollback: [20, 70],
  upload: [20, 100],
};
/** One host in a hundred is three times as slow. */
const SLOW = { share: 0.01, factor: 3 };

/** A host that does what it is asked in virtual time, by the agent's rules: one thing at a time, each (run, step, attempt) once. */
export class SimulatedHost {
  readonly instanceId: string;
  readonly name: string;
  readonly fault: HostFault | null;
  /** How often each step was really done, by `run/step/attempt`. */
  readonly executions = new Map<string, number>();
  isGone = false;
  isSilent = false;
  readonly #fraction: () => number;
  readonly #pace: number;
  readonly #done = new Map<string, Done>();
  #truth: HostTruth = "old";
  #trialEndsMs = 0;
  #busyUntilMs = 0;

  constructor(instanceId: string, name: string, seed: number, fault: HostFault | null = null) {
    this.instanceId = instanceId;
    this.name = name;
    this.fault = fault;
    this.#fraction = sequence(seed);
    this.#pace = this.#fraction() < SLOW.share ? SLOW.factor : 1;
  }

  /** A change that nobody commits in time is undone by the host itself. */
  truthAt(ms: number): HostTruth {
    return this.#truth === "open" && ms >= this.#trialEndsMs ? "restored" : this.#truth;
  }

  /** The full report of a step that it did, or undefined. */
  recorded(runId: string, step: StepName, attempt: number): StepResult | undefined {
    return this.#done.get(keyOf(runId, step, attempt))?.result ?? undefined;
  }

  /** Whether a command that begins with this step can be handed over at all. */
  comeTo(step: StepName): void {
    if (this.fault?.kind === "gone" && this.fault.step === step) this.isGone = true;
  }

  /** Takes up a request now, one step after the other as far as they pass. Whatever was done before is answered from the record. */
  take(request: HostRequest, nowMs: number): HostAnswer {
    let ms = Math.max(nowMs, this.#busyUntilMs);
    const steps: HostStep[] = [];
    let reached = true;
    for (const name of request.steps) {
      if (!reached) {
        steps.push({ name, status: "Success", exitCode: 0, stdout: "", startedAt: new Date(ms) });
        continue;
      }
      const done = this.#once(request, name, ms);
      if (done === "silent") {
        this.isSilent = true;
        return { steps: null, seconds: 0 };
      }
      ms = Math.max(ms, done.endsMs);
      steps.push(done.step);
      reached = done.result?.outcome === "succeeded" || done.result?.outcome === "rebootRequired";
    }
    this.#busyUntilMs = ms;
    return { steps, seconds: (ms - nowMs) / 1000 };
  }

  #once(request: HostRequest, step: StepName, ms: number): Done | "silent" {
    const key = keyOf(request.runId, step, request.attempt);
    const before = this.#done.get(key);
    if (before !== undefined) return before;
    const done = this.#execute(request, step, ms);
    if (done !== "silent") this.#done.set(key, done);
    return done;
  }

  #execute(request: HostRequest, step: StepName, ms: number): Done | "silent" {
    if (ms > stepExpiry(request, step).getTime())
      return this.#answer(request, step, ms, 1, failed({ code: "requestExpired", message: "it came too late" }));
    const key = keyOf(request.runId, step, request.attempt);
    this.executions.set(key, (this.executions.get(key) ?? 0) + 1);
    const fault = this.fault?.step === step ? this.fault : null;
    const [least, more] = LASTS[step];
    const seconds = Math.ceil((least + more * this.#fraction()) * this.#pace);
    if (fault?.kind === "vanishes") {
      this.#change(step, request, ms);
      return "silent";
    }
    if (fault?.kind === "hangs") {
      this.#change(step, request, ms);
      const endsMs = ms + STEP_TIMEOUT_SECONDS[step] * 1000;
      const killed = { name: step, status: "TimedOut", exitCode: 137, stdout: "", startedAt: new Date(ms) } as const;
      return { result: null, step: killed, endsMs };
    }
    if (fault?.kind === "fails") {
      this.#change(step, request, ms);
      if (fault.rolledBack) this.#truth = "restored";
      const message = `${fault.code}, as simulated`;
      return this.#answer(request, step, ms, seconds, failed({ code: fault.code, message }, fault.rolledBack));
    }
    const outcome = request.dryRun ? succeeded(step) : this.#change(step, request, ms + seconds * 1000);
    const done = this.#answer(request, step, ms, seconds, outcome);
    return fault?.kind === "garbage" ? { ...done, step: { ...done.step, stdout: "Segmentation fault\n" } } : done;
  }

  /** What the step makes of the host, and what it can say about it. */
  #change(step: StepName, request: HostRequest, ms: number): StepOutcome {
    const truth = this.truthAt(ms);
    this.#truth = truth;
    switch (step) {
      case "install":
        this.#truth = "open";
        this.#trialEndsMs = ms + (request.policy.trialSeconds ?? DEFAULT_TRIAL_SECONDS) * 1000;
        return succeeded(step);
      case "validate":
      case "reboot":
        return truth === "open" ? succeeded(step) : NO_TRIAL;
      case "commit":
        if (truth !== "open" && truth !== "committed") return NO_TRIAL;
        this.#truth = "committed";
        return succeeded(step);
      case "rollback":
        if (truth === "old") return { outcome: "nothingToDo", message: "the run has changed nothing on this host" };
        // One that went back by itself gives the comparison it made then.
        this.#truth = "restored";
        return succeeded(step);
      default:
        return succeeded(step);
    }
  }

  #answer(request: HostRequest, step: StepName, ms: number, seconds: number, outcome: StepOutcome): Done {
    const { runId, attempt, dryRun } = request;
    const reportKey = KEYS.hostReport(`${HOST_ROLE_ID}:${this.instanceId}`, runId, step, attempt);
    const about = { runId, step, attempt, instanceId: this.instanceId, dryRun, reportKey };
    const startedAt = new Date(ms);
    const result = resultOf(outcome, about, { startedAt, seconds });
    const isBad = outcome.outcome === "failed" || outcome.outcome === "blocked";
    return {
      result,
      endsMs: ms + seconds * 1000,
      step: {
        name: step,
        status: isBad ? "Failed" : "Success",
        exitCode: isBad ? 10 : 0,
        stdout: `${encodeResult(result)}\n`,
        startedAt,
      },
    };
  }
}

const NO_TRIAL = failed({ code: "noTransaction", message: "the run has nothing installed on trial" });

/** The id that IAM would give the hosts' role. */
export const HOST_ROLE_ID = "AROASIMULATEDHOSTROLE";

function keyOf(runId: string, step: StepName, attempt: number): string {
  return `${runId}/${step}/${attempt}`;
}
