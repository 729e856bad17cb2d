import * as z from "zod";
import { FAILURE_CODES, FAILURES, type Failure, type FailureCode } from "./failures.ts";
import { HostFigures, STEP_DATA, type StepData, StepName } from "./steps.ts";

/** Raised when a field changes its meaning; agent and stack refuse each other when it differs. */
export const CONTRACT_VERSION = 1;

export const RunId = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9-]{0,59}$/, "letters, digits and '-', at most 60");
export const InstanceId = z.string().regex(/^(i-[0-9a-f]{8,17}|mi-[0-9a-f]{17})$/, "an EC2 or managed instance id");

const Reason = z.object({ code: z.string(), message: z.string() });
export type Reason = z.infer<typeof Reason>;

const identity = {
  contractVersion: z.literal(CONTRACT_VERSION),
  runId: RunId,
  attempt: z.int().positive(),
  instanceId: z.string(),
  bootId: z.string(),
  agentVersion: z.string(),
  startedAt: z.iso.datetime(),
  durationMs: z.int().nonnegative(),
  dryRun: z.boolean(),
  /** Key of the full report in the run's bucket; null when it could not be put there. */
  reportKey: z.string().nullable(),
};

const Failed = z.object({
  outcome: z.literal("failed"),
  code: z.enum(FAILURE_CODES),
  message: z.string(),
  retryable: z.boolean(),
  /** The step undid its own change before it answered, and compared. */
  rolledBack: z.boolean(),
});

const anyStep = { ...identity, step: StepName };
const data = z.record(z.string(), z.unknown());
const reasons = z.array(Reason).min(1);

/** The one answer of every step. Flat, so that a person can read it in the console. */
export const StepResult = z
  .discriminatedUnion("outcome", [
    z.object({ ...anyStep, outcome: z.literal("succeeded"), data }),
    z.object({ ...anyStep, outcome: z.literal("rebootRequired"), reasons, data }),
    z.object({
      ...anyStep,
      outcome: z.literal("nothingToDo"),
      message: z.string(),
      /** A host that has nothing to do is watched all the same. */
      figures: HostFigures.optional(),
    }),
    z.object({ ...anyStep, outcome: z.literal("blocked"), reasons }),
    z.object({ ...anyStep, ...Failed.shape }),
  ])
  .superRefine((result, context) => {
    if (!("data" in result)) return;
    const parsed = STEP_DATA[result.step].safeParse(result.data);
    if (parsed.success) return;
    const message = `not the data of ${result.step}: ${z.prettifyError(parsed.error)}`;
    context.addIssue({ code: "custom", path: ["data"], message });
  });
export type StepResult = z.infer<typeof StepResult>;

/** What a step's own code returns; the program around it adds who, when and how long. */
export type StepOutcome<S extends StepName = StepName> =
  | { outcome: "succeeded"; data: StepData<S> }
  | { outcome: "rebootRequired"; reasons: Reason[]; data: StepData<S> }
  | { outcome: "nothingToDo"; message: string; figures?: HostFigures }
  | { outcome: "blocked"; reasons: Reason[] }
  | z.infer<typeof Failed>;

/** The typed data of a succeeded step, or undefined when the result is of another step or outcome. */
export function dataOf<S extends StepName>(result: StepResult, step: S): StepData<S> | undefined {
  if (result.step !== step || !("data" in result)) return undefined;
  // StepResult held it against this very schema when the result was read.
  return result.data as StepData<S>;
}

/** A failure as an outcome; whether it may be retried comes from the table. */
export function failed(failure: Pick<Failure, "code" | "message">, rolledBack = false): StepOutcome {
  return {
    outcome: "failed",
    code: failure.code,
    message: failure.message,
    retryable: retryable(failure.code),
    rolledBack,
  };
}

function retryable(code: FailureCode): boolean {
  return FAILURES[code].retryable;
}
