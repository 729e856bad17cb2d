import { asFailure } from "../../contract/failures.ts";
import type { Operation } from "../../contract/request.ts";
import { fileTime, systemClock } from "../host/clock.ts";
import { type Config, hostPolicy, readConfig } from "../host/config.ts";
import { localMachine, requireRoot } from "../host/local-machine.ts";
import type { Machine } from "../host/machine.ts";
import type { StepContext } from "../patch/step.ts";
import { recordViolation } from "../security/violations.ts";
import { stepContext } from "./step-context.ts";

/** A command typed on the host, or run by one of the seed's scripts. */
export interface Command {
  readonly config: Config;
  readonly machine: Machine;
  /** Its steps' context: the host's own policy, and a run of its own. */
  readonly context: StepContext;
}

export interface CommandOptions {
  readonly operation?: Operation;
  readonly dryRun: boolean;
  /** Tells every detail on stderr. */
  readonly verbose?: boolean;
  /** Run of an earlier command that this one continues. @default `manual-<UTC time>` */
  readonly runId?: string;
}

/** @throws Failure `notRoot`, `configurationInvalid`, `pathUnsafe` */
export function openCommand(program: string, options: CommandOptions): Command {
  requireRoot();
  const runId = options.runId ?? `manual-${fileTime(systemClock.now())}`;
  const config = openConfig(program, runId);
  const level = options.verbose === true ? "debug" : config.AUTOPATCH_LOG_LEVEL;
  const machine = localMachine(program, { AUTOPATCH_LOG_LEVEL: level });
  const { context } = stepContext(machine, {
    runId,
    dryRun: options.dryRun,
    policy: hostPolicy(config, options.operation ?? "full-update"),
  });
  return { config, machine, context };
}

/** The configuration; one that somebody else could have written is marked as a violation before it is refused. */
function openConfig(program: string, runId: string): Config {
  const machine = localMachine(program, { AUTOPATCH_LOG_LEVEL: "info" });
  try {
    return readConfig(machine);
  } catch (error) {
    recordViolation(machine, runId, asFailure(error));
    throw error;
  }
}
