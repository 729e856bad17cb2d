import { isLockedDown } from "../security/lockdown/record.ts";
import { ownerAlive, readJournal, type Transaction } from "./journal.ts";
import { changedSince } from "./rollback.ts";
import type { StepContext } from "./step.ts";
import { recover, type Undone, undo } from "./transaction.ts";
import { endTrial, holdTrial, lookAtTrial, reasonToGoBack, startTrial, type TrialClock } from "./trial-clock.ts";

/** What a look at the host came to. */
export type Watched =
  | { readonly did: "nothing"; readonly message: string }
  | { readonly did: "wentBack"; readonly reason: string; readonly undone: Undone }
  /** It should go back and must not be taken back without a person. */
  | { readonly did: "leftAlone"; readonly reason: string };

/** The context of a host's unfinished change, or null when there is none: the watchdog acts in that run's name. */
export function unfinished(transaction: Transaction | null): Transaction | null {
  return transaction !== null && WATCHED.has(transaction.state) ? transaction : null;
}
const WATCHED: ReadonlySet<string> = new Set(["applying", "trial", "rollingBack"]);

/**
 * Takes a host back that was left on trial, or in the middle of a change by a process that died. Asks nobody: neither the network nor
 * the cloud is needed.
 * @param atBoot no service of this boot was started yet
 * @throws Failure of `undo`; the next look tries again
 */
export async function watch(context: StepContext, { atBoot = false } = {}): Promise<Watched> {
  const { machine } = context;
  const transaction = unfinished(readJournal(machine));
  if (transaction === null) {
    endTrial(machine);
    return { did: "nothing", message: "no change is unfinished" };
  }
  if (transaction.state !== "trial") {
    if (ownerAlive(machine, transaction))
      return { did: "nothing", message: `run ${transaction.runId} is at work, in state ${transaction.state}` };
    const undone = await recover(context, { atBoot });
    const reason = `it was interrupted in state ${transaction.state}`;
    return undone === null ? { did: "nothing", message: reason } : { did: "wentBack", reason, undone };
  }
  if (isLockedDown(machine)) {
    holdTrial(machine, transaction.runId);
    return { did: "nothing", message: `run ${transaction.runId} stays on trial while this host is locked down` };
  }
  const clock = clockOf(context, transaction);
  const reason = reasonToGoBack(clock);
  if (reason === null) {
    const left = Math.max(0, Math.ceil((clock.seconds * 1_000 - clock.elapsedMs) / 1_000));
    return { did: "nothing", message: `run ${transaction.runId} is on trial for another ${left} s` };
  }
  if (changedSince(context, transaction) !== null) {
    // Asked again every minute, it would say the same; the journal still says that the trial is open.
    endTrial(machine);
    return { did: "leftAlone", reason: `${reason}, but packages were changed since by somebody else` };
  }
  return { did: "wentBack", reason, undone: await undo(context, transaction, reason, { atBoot }) };
}

/** A trial whose clock was lost begins anew: longer than meant, but not without an end. */
function clockOf({ machine }: StepContext, { runId, trialSeconds }: Transaction): TrialClock {
  const clock = lookAtTrial(machine, runId);
  if (clock !== null) return clock;
  startTrial(machine, runId, trialSeconds);
  return lookAtTrial(machine, runId) as TrialClock;
}
