import { asFailure } from "../../contract/failures.ts";
import type { Operation } from "../../contract/request.ts";
import { fileTime, systemClock } from "../host/clock.ts";
import { type Config, fleetTrust, hostPolicy, readConfig } from "../host/config.ts";
import type { SignedDocument } from "../host/fetch-fleet-lock.ts";
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
  /** The fleet lock to install. @default the host plans by itself */
  readonly fleetLock?: (machine: Machine) => Promise<SignedDocument>;
}

/** @throws Failure `notRoot`, `configurationInvalid`, `pathUnsafe` */
export function openCommand(program: string, options: CommandOptions): Command {
  requireRoot();
  const runId = options.runId ?? `manual-${fileTime(systemClock.now())}`;
  const config = openConfig(program, runId);
  const level = options.verbose === true ? "debug" : config.AUTOPATCH_LOG_LEVEL;
  const machine = localMachine(program, { AUTOPATCH_LOG_LEVEL: level });
  const { fleetLock } = options;
  const { context } = stepContext(machine, {
    runId,
    dryRun: options.dryRun,
    policy: hostPolicy(config, options.operation ?? "full-update"),
    fleet: fleetTrust(config),
    ...cloudOf(config),
    ...(fleetLock === undefined ? {} : { fleetLock: () => fleetLock(machine) }),
  });
  return { config, machine, context };
}

/** What autopatch.conf says of the cloud: nobody is asked for it, a command works as well without. */
function cloudOf(config: Config): Pick<StepContext, "cloud"> {
  const { AUTOPATCH_BUCKET: bucket, AWS_REGION: region } = config;
  return bucket === undefined || region === undefined ? {} : { cloud: { bucket, region, config } };
}

/** The configuration; one that somebody else could have written is marked as a violation before it is refused. */
function openConfig(program: string, runId: string): Config {
  const machine = localMachine(program, { AUTOPATCH_LOG_LEVEL: "info" });
  try {
    return readConfig(machine, process.env);
  } catch (error) {
    recordViolation(machine, runId, asFailure(error));
    throw error;
  }
}
