import { rmSync } from "node:fs";
import * as z from "zod";
import { RunId } from "../../contract/envelope.ts";
import { HOST_PATHS } from "../../contract/names.ts";
import { onMachine, readOwn, writeOwn } from "../host/files.ts";
import { bootId, uptimeMs } from "../host/identity.ts";
import type { Machine } from "../host/machine.ts";

/** There as long as a host is on trial: the watchdog's unit looks for it before it starts anything. */
export const TRIAL_CLOCK = `${HOST_PATHS.state}/trial.json`;

/** How often a host may boot during its trial; one that boots again and again is not well, however short it lives. */
export const MOST_BOOTS = 3;
/** The watchdog waits this much longer than commit accepts, so that the two never act at once. */
const GRACE_MS = 10_000;

/**
 * Time on trial, by the clock that counts since boot and that nobody can set. The host's time of day, right or wrong, neither ends a trial
 * nor draws it out; time in which the host was off does not count.
 */
export const TrialClock = z.object({
  runId: RunId,
  seconds: z.int().positive(),
  /** Milliseconds on trial until it was last looked at. */
  elapsedMs: z.int().nonnegative(),
  /** When that was: in which boot, and milliseconds since it. */
  bootId: z.string(),
  uptimeMs: z.number().nonnegative(),
  /** Boots since the trial began. */
  boots: z.int().nonnegative(),
});
export type TrialClock = z.infer<typeof TrialClock>;

/** The clock as it stands now. Pure. */
export function advance(clock: TrialClock, now: { readonly bootId: string; readonly uptimeMs: number }): TrialClock {
  if (clock.bootId !== now.bootId) return { ...clock, ...now, boots: clock.boots + 1 };
  return { ...clock, ...now, elapsedMs: clock.elapsedMs + Math.max(0, Math.round(now.uptimeMs - clock.uptimeMs)) };
}

/** Whether a trial may no longer be committed. Pure. */
export function isOver({ elapsedMs, seconds }: TrialClock): boolean {
  return elapsedMs >= seconds * 1_000;
}

/** Why a host has to go back by itself, or null while it has time. Pure. */
export function reasonToGoBack(clock: TrialClock): string | null {
  const { seconds, elapsedMs, boots } = clock;
  if (boots > MOST_BOOTS) return `it booted ${boots} times during its trial`;
  return elapsedMs >= seconds * 1_000 + GRACE_MS ? `nobody committed it within ${seconds} s` : null;
}

/** Starts the clock, on disk before the trial begins. */
export function startTrial(machine: Machine, runId: string, seconds: number): void {
  write(machine, { runId, seconds, elapsedMs: 0, boots: 0, ...present(machine) });
}

/**
 * The clock as it stands now.
 * @returns null when there is none for this run: no trial, or one from before there were clocks
 */
export function trialClock(machine: Machine, runId: string): TrialClock | null {
  const clock = readClock(machine, runId);
  return clock === null ? null : advance(clock, present(machine));
}

/** The same, and keeps how far it is. */
export function lookAtTrial(machine: Machine, runId: string): TrialClock | null {
  const clock = trialClock(machine, runId);
  if (clock !== null) write(machine, clock);
  return clock;
}

function readClock(machine: Machine, runId: string): TrialClock | null {
  const text = readOwn(machine, TRIAL_CLOCK);
  const clock = text === null ? null : TrialClock.parse(JSON.parse(text));
  return clock?.runId === runId ? clock : null;
}

/** Stops the clock until the next look: neither this time nor this boot counts. Nothing when there is no clock for this run. */
export function holdTrial(machine: Machine, runId: string): void {
  const clock = readClock(machine, runId);
  if (clock !== null) write(machine, { ...clock, ...present(machine) });
}

/** The trial is over, whichever way. */
export function endTrial(machine: Pick<Machine, "root">): void {
  rmSync(onMachine(machine, TRIAL_CLOCK), { force: true });
}

function present(machine: Pick<Machine, "root">) {
  return { bootId: bootId(machine), uptimeMs: uptimeMs(machine) };
}

function write(machine: Machine, clock: TrialClock): void {
  writeOwn(machine, TRIAL_CLOCK, `${JSON.stringify(clock)}\n`, 0o600);
}
