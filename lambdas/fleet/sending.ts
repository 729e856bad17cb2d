import { CONTRACT_VERSION } from "../../contract/envelope.ts";
import type { SendingPolicy } from "../../contract/environment.ts";
import { documentName } from "../../contract/names.ts";
import type { StepRequest } from "../../contract/request.ts";
import type { Snapshot } from "../../contract/run.ts";
import { STEP_TIMEOUT_SECONDS, type StepName } from "../../contract/steps.ts";

/** One SendCommand, but for the hosts that turn out to be unreachable. */
export interface Sending {
  readonly document: string;
  readonly request: StepRequest;
  /** At most 100 characters. */
  readonly comment: string;
  readonly maxConcurrency: string;
  readonly maxErrors: string;
  /** SendCommand's TimeoutSeconds: a host that has not begun by then never does. */
  readonly deliverySeconds: number;
  /** After this a host that has not answered counts as `noAnswer`. */
  readonly deadline: Date;
}

/** Steps that hosts take a few at a time and that stop when too many fail. The others bring every host out of a trial, one way or the other. */
const SHARED: ReadonlySet<StepName> = new Set<StepName>(["preflight", "download", "verify", "backup", "install"]);

/** What to send for a step of a batch. Pure. */
export function planSending(
  asked: { readonly step: StepName; readonly attempt: number; readonly wave: number; readonly instanceIds: string[] },
  snapshot: Snapshot,
  settings: { readonly sending: SendingPolicy; readonly documentPrefix: string; readonly bucket: string },
  now: Date,
): Sending {
  const { step, attempt, wave, instanceIds } = asked;
  const { sending } = settings;
  const shared = SHARED.has(step);
  const maxConcurrency = shared ? sending.maxConcurrency : "100%";
  // The delivery time-out runs from the sending, also for hosts whose turn comes only after others have ended.
  const turns = Math.ceil(instanceIds.length / atOnce(maxConcurrency, instanceIds.length));
  const deliverySeconds = sending.deliverySeconds + (turns - 1) * STEP_TIMEOUT_SECONDS[step];
  const after = (seconds: number) => new Date(now.getTime() + seconds * 1000);
  return {
    document: `${settings.documentPrefix}${documentName(step)}`,
    comment: `AutoPatch ${snapshot.runId} wave ${wave} ${step}`.slice(0, 100),
    maxConcurrency,
    maxErrors: shared ? sending.maxErrors : "100%",
    deliverySeconds,
    deadline: after(deliverySeconds + STEP_TIMEOUT_SECONDS[step] + sending.slackSeconds),
    request: {
      contractVersion: CONTRACT_VERSION,
      runId: snapshot.runId,
      fleet: snapshot.fleet,
      step,
      attempt,
      expiresAt: after(deliverySeconds + sending.slackSeconds).toISOString(),
      instanceIds,
      dryRun: snapshot.dryRun,
      policy: snapshot.policy,
      bucket: settings.bucket,
    },
  };
}

/** Hosts that work at the same time; SSM takes at least one, and rounds a share down at worst. */
function atOnce(maxConcurrency: string, hosts: number): number {
  const value = Number.parseInt(maxConcurrency, 10);
  return Math.max(1, maxConcurrency.endsWith("%") ? Math.floor((hosts * value) / 100) : Math.min(value, hosts));
}
