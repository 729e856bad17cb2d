import { CONTRACT_VERSION } from "../../contract/envelope.ts";
import type { SendingPolicy } from "../../contract/environment.ts";
import { documentName } from "../../contract/names.ts";
import type { HostRequest } from "../../contract/request.ts";
import type { RunTerms } from "../../contract/run.ts";
import { COMMANDS, type CommandName, commandSeconds } from "../../contract/steps.ts";
import { turnsOf } from "./estimate.ts";

/** One SendCommand, but for the hosts that turn out to be unreachable. */
export interface Sending {
  readonly document: string;
  readonly request: HostRequest;
  /** At most 100 characters. */
  readonly comment: string;
  readonly maxConcurrency: string;
  readonly maxErrors: string;
  /** SendCommand's TimeoutSeconds: a host that has not begun by then never does. */
  readonly deliverySeconds: number;
  /** After this a host that has not answered counts as `noAnswer`. */
  readonly deadline: Date;
}

/**
 * Commands that hosts take a few at a time, so that a batch is not away in its reboot as a whole, and that no further host begins when
 * too many fail. The others bring every host out of a trial, one way or the other.
 */
const SHARED: ReadonlySet<CommandName> = new Set<CommandName>(["prepare", "apply"]);

/** What to send for a command of a batch. Pure. */
export function planSending(
  asked: {
    readonly command: CommandName;
    readonly attempt: number;
    readonly wave: number;
    readonly instanceIds: readonly string[];
    /** What hosts that prepare are told of fleet locks. @default nothing */
    readonly fleetLock?: Pick<HostRequest, "fleetLocks" | "offerDebs">;
  },
  run: Pick<RunTerms, "runId" | "fleet" | "dryRun" | "policy">,
  settings: { readonly sending: SendingPolicy; readonly documentPrefix: string; readonly bucket: string },
  now: Date,
): Sending {
  const { command, attempt, wave, instanceIds, fleetLock = {} } = asked;
  const { sending } = settings;
  const seconds = commandSeconds(command);
  const maxConcurrency = SHARED.has(command) ? sending.maxConcurrency : "100%";
  // The delivery time-out runs from the sending, also for hosts whose turn comes only after others have ended.
  const turns = turnsOf(instanceIds.length, maxConcurrency);
  const deliverySeconds = sending.deliverySeconds + (turns - 1) * seconds;
  const after = (seconds: number) => new Date(now.getTime() + seconds * 1000);
  return {
    document: `${settings.documentPrefix}${documentName(command)}`,
    comment: `AutoPatch ${run.runId} wave ${wave} ${command}`.slice(0, 100),
    maxConcurrency,
    maxErrors: SHARED.has(command) ? sending.maxErrors : "100%",
    deliverySeconds,
    deadline: after(deliverySeconds + seconds + sending.slackSeconds),
    request: {
      contractVersion: CONTRACT_VERSION,
      runId: run.runId,
      fleet: run.fleet,
      steps: [...COMMANDS[command]],
      attempt,
      expiresAt: after(deliverySeconds + sending.slackSeconds).toISOString(),
      instanceIds: [...instanceIds],
      dryRun: run.dryRun,
      policy: run.policy,
      bucket: settings.bucket,
      ...(command === "prepare" ? fleetLock : {}),
    },
  };
}
