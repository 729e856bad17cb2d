import type { Lease } from "../../contract/lease.ts";
import type { Snapshot, Wave } from "../../contract/run.ts";
import { commandSeconds } from "../../contract/steps.ts";
import { turnsOf } from "./estimate.ts";

/** Another run works on this fleet. Nothing was asked of any host. */
export class FleetBusy extends Error {
  override readonly name = "FleetBusy";
}

/** The fleet went to another run in between: this one may not go on. */
export class LeaseLost extends Error {
  override readonly name = "LeaseLost";
}

/**
 * The lease as a run would hold it. Pure.
 * @param found what lies there now; undefined when nothing does
 * @param seconds from now on until it ends by itself
 * @throws FleetBusy when another run holds it
 */
export function takeLease(
  found: Lease | undefined,
  asked: { readonly fleet: string; readonly runId: string },
  seconds: number,
  now: Date,
): Lease {
  const heldByOther = found !== undefined && found.runId !== asked.runId && new Date(found.until) > now;
  if (heldByOther)
    throw new FleetBusy(
      `fleet ${asked.fleet} is being worked on by run ${found.runId}, at most until ${found.until}: wait for its end; ` +
        "if that execution is over, delete the fleet's object under leases/ in the run bucket",
    );
  const takenAt = found?.runId === asked.runId ? found.takenAt : now.toISOString();
  return { ...asked, takenAt, until: new Date(now.getTime() + seconds * 1000).toISOString() };
}

/** What is left of a lease whose holder lets go; null when it is not his. Pure. */
export function freedLease(found: Lease | undefined, runId: string, now: Date): Lease | null {
  return found?.runId === runId && new Date(found.until) > now ? { ...found, until: now.toISOString() } : null;
}

/**
 * Seconds after which a run that holds the fleet has said something again: the longest that there may be from one border of its largest wave
 * to the next, and what it may wait there. Pure. A run that vanished is forgotten after that.
 */
export function leaseSeconds(
  { waves, wavePolicy }: Pick<Snapshot, "waves" | "wavePolicy">,
  settings: {
    readonly maxConcurrency: string;
    readonly deliverySeconds: number;
    readonly slackSeconds: number;
    readonly batchesAtOnce: number;
    readonly lookSeconds: number;
    /** What hosts may take that get their root volumes back. */
    readonly restoreSeconds: number;
  },
): number {
  const rounds = (wave: Wave) => Math.ceil(wave.batches.length / settings.batchesAtOnce);
  const phase = (wave: Wave) => {
    const turns = turnsOf(Math.max(...wave.batches.map((ids) => ids.length)), settings.maxConcurrency);
    const change = turns * commandSeconds("apply") + commandSeconds("commit") + commandSeconds("rollback");
    // No border lies between a change and what is asked after its bake, or the way back of the whole wave.
    const after = commandSeconds("check") + 2 * commandSeconds("rollback");
    const commands = Math.max(turns * commandSeconds("prepare"), change + after);
    return (
      rounds(wave) *
      (settings.restoreSeconds + commands + COMMANDS_OF_A_CHANGE * (settings.deliverySeconds + settings.slackSeconds))
    );
  };
  const longest = waves.length === 0 ? 0 : Math.max(...waves.map(phase));
  return longest + PROMOTION_SECONDS + wavePolicy.bakeSeconds + settings.lookSeconds + MARGIN_SECONDS;
}

/** apply, commit, rollback; check and its rollback; the rollback of a wave. */
const COMMANDS_OF_A_CHANGE = 6;
/** Signing what the canaries proved, and filling the pool, five minutes each. */
const PROMOTION_SECONDS = 600;

/** For Lambdas that are tried again, and clocks that differ. */
const MARGIN_SECONDS = 900;
