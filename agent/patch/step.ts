import type { StepOutcome } from "../../contract/envelope.ts";
import type { PatchPolicy } from "../../contract/request.ts";
import type { StepDetails } from "../../contract/step-report.ts";
import type { StepName } from "../../contract/steps.ts";
import type { Machine } from "../host/machine.ts";

/** What a step is given, whether SSM or one of the seed's commands calls it. */
export interface StepContext {
  readonly machine: Machine;
  /** The run it belongs to; commands typed by a person make one up: `manual-<UTC time>`. */
  readonly runId: string;
  readonly dryRun: boolean;
  readonly policy: PatchPolicy;
  /** Measures a part of the step for the report's timings. */
  timed<T>(part: string, work: () => Promise<T>): Promise<T>;
}

/** What a step answers, and what it adds to the full report. A failure may be returned or thrown as Failure. */
export interface StepAnswer<S extends StepName> {
  readonly outcome: StepOutcome<S>;
  readonly details: StepDetails;
}

export type Step<S extends StepName> = (context: StepContext) => Promise<StepAnswer<S>>;
