import type { Decision } from "../../contract/decisions.ts";
import type { GatePolicy, GateVerdict } from "../../contract/gates.ts";
import type { WaveVerdict } from "../../contract/run.ts";
import type { Phase } from "../../contract/steps.ts";

/** What somebody answered, or why nobody could be asked: that counts as closed. */
export type Asked<T> = { readonly answer: T } | { readonly unasked: string };

export interface GateFacts {
  readonly stops: Asked<readonly Decision[]>;
  readonly freezes: Asked<readonly Decision[]>;
  readonly calendar: Asked<{ readonly state: string; readonly nextTransition: string | null }>;
  /** State of each configured alarm; null where there is none of that name. */
  readonly alarms: Asked<readonly { readonly name: string; readonly state: string | null }[]>;
  /** What is about to begin must have ended by then. */
  readonly windowEndsAt: Date | null;
  readonly neededSeconds: number;
}

/**
 * Whether a phase may begin. Pure. People's word comes first, then the window, then what may pass by itself; waiting ends with the policy's
 * patience, and with the window.
 * @param since when the run came to this border
 */
export function judgeGate(facts: GateFacts, policy: GatePolicy, since: Date, now: Date): GateVerdict {
  const word = (asked: Asked<readonly Decision[]>) => ("answer" in asked ? asked.answer[0] : undefined);
  const stopped = word(facts.stops);
  if (stopped !== undefined) return stop(`stopped by ${stopped.by}${because(stopped)}`, stopped.by);
  const frozen = word(facts.freezes);
  if (frozen !== undefined) return stop(`frozen by ${frozen.by} at ${frozen.at}${because(frozen)}`, frozen.by);

  const { windowEndsAt, neededSeconds } = facts;
  if (windowEndsAt !== null && now.getTime() + neededSeconds * 1000 > windowEndsAt.getTime())
    return stop(
      `the maintenance window ends at ${windowEndsAt.toISOString()}, and what comes next needs about ${Math.ceil(neededSeconds / 60)} min`,
    );

  const closed = whatIsClosed(facts);
  if (closed === null) return { verdict: "open", reason: "nothing stands against it", by: null };
  if (policy.whenClosed === "stop") return stop(closed);
  if (now.getTime() - since.getTime() >= policy.waitMinutes * 60_000)
    return stop(`${closed}; waited ${policy.waitMinutes} min for it`);
  return { verdict: "wait", reason: closed, by: null };
}

/** A gate's stop in the form of a wave's verdict, which the run's report is made of. Pure. */
export function gateStop(wave: number, phase: Phase, hosts: number, { reason, by }: GateVerdict): WaveVerdict {
  const told = { wave, phase, hosts, failed: 0, allowed: 0, decision: "stop", reason, before: true } as const;
  return by === null ? told : { ...told, by };
}

function whatIsClosed({ stops, freezes, calendar, alarms }: GateFacts): string | null {
  const asked = { "operators' stops": stops, "the freeze switch": freezes, "the change calendars": calendar, alarms };
  for (const [what, one] of Object.entries(asked)) {
    if ("unasked" in one) return `${what} could not be asked: ${one.unasked}`;
  }
  if ("answer" in calendar && calendar.answer.state !== "OPEN") {
    const { nextTransition } = calendar.answer;
    return `a change calendar is ${calendar.answer.state}${nextTransition === null ? "" : ` until ${nextTransition}`}`;
  }
  const bad = "answer" in alarms ? alarms.answer.filter(({ state }) => state !== "OK") : [];
  if (bad.length === 0) return null;
  return `not in OK: ${bad.map(({ name, state }) => `${name} (${state ?? "no such alarm"})`).join(", ")}`;
}

function stop(reason: string, by: string | null = null): GateVerdict {
  return { verdict: "stop", reason, by };
}

function because({ reason }: Decision): string {
  return reason === "" ? "" : `: ${reason}`;
}
