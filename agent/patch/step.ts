import type { StepOutcome } from "../../contract/envelope.ts";
import type { PatchPolicy } from "../../contract/request.ts";
import type { StepDetails } from "../../contract/step-report.ts";
import type { StepName } from "../../contract/steps.ts";
import type { Cloud } from "../host/cloud.ts";
import type { SignedDocument } from "../host/fetch-fleet-lock.ts";
import type { Machine } from "../host/machine.ts";
import type { FleetTrust } from "../security/fleet-lock.ts";

/** What a step is given, whether SSM or one of the seed's commands calls it. */
export interface StepContext {
  readonly machine: Machine;
  /** The run it belongs to; commands typed by a person make one up: `manual-<UTC time>`. */
  readonly runId: string;
  readonly dryRun: boolean;
  readonly policy: PatchPolicy;
  /** Absent on a host without one, or whose bucket or Region nobody says. */
  readonly cloud?: Cloud;
  readonly fleet: FleetTrust;
  /** Gets the fleet lock that this run installs; absent when the host plans by itself. */
  readonly fleetLock?: () => Promise<SignedDocument>;
  /** The run installs by fleet locks alone, and no canary proved one for hosts of this kind, `release-architecture`. */
  readonly unproven?: string;
  /** The .debs that were fetched are put where the fleet's pool may take them from. @default false */
  readonly offerDebs?: boolean;
  /** Measures a part of the step for the report's timings. */
  timed<T>(part: string, work: () => Promise<T>): Promise<T>;
}

/** What a step answers, and what it adds to the full report. A failure may be returned or thrown as Failure. */
export interface StepAnswer<S extends StepName> {
  readonly outcome: StepOutcome<S>;
  readonly details: StepDetails;
}

/**
 * Not a failure: the step's program is to end with the code by which the SSM agent reboots the host and runs the step again. Nothing is
 * recorded as the step's answer.
 */
export class RebootNow extends Error {
  override readonly name = "RebootNow";
}

export type Step<S extends StepName> = (context: StepContext) => Promise<StepAnswer<S>>;
