import { Failure } from "../../contract/failures.ts";
import type { Config } from "../host/config.ts";
import type { StepContext } from "../patch/step.ts";
import type { Disaster, Mode, PhaseReport } from "./phases.ts";

export interface RecoveryRequest {
  readonly disaster: Disaster;
  readonly mode: Mode;
  readonly config: Config;
  /** The only backup that will do. @default the newest that is valid */
  readonly backup: string | undefined;
}

/** What the phases of one recovery hand on to each other. */
export interface Course {
  readonly context: StepContext;
  readonly request: RecoveryRequest;
  /** Services of critical packages that were running before they were isolated, by this recovery or by one that did not come to its end. */
  stopped: string[];
  /** From here on they must not run before all of it is put back. */
  restoring: boolean;
  backupId: string | null;
}

export type Said = { readonly outcome: PhaseReport["outcome"]; readonly detail: string };

export const done = (detail: string): Said => ({ outcome: "done", detail });
export const planned = (detail: string): Said => ({ outcome: "planned", detail });

/** @throws Failure `unhealthy` with what the program complained of */
export async function required({ machine }: StepContext, file: string, args: readonly string[]): Promise<void> {
  const result = await machine.exec(file, args, { deadlineMs: 300_000 });
  if (result.exitCode !== 0) throw new Failure("unhealthy", `${file} ${args.join(" ")}: ${result.stderr.trim()}`);
}
