import { sequence } from "../../local/simulate/random.ts";

export const PHASES = ["backup", "install", "rollback"] as const;
export type Phase = (typeof PHASES)[number];

/**
 * What dies. tree: every process of the host but its PID 1. agent: the agent alone, what it started lives on. child: one process
 * that the agent started, such as dpkg or a maintainer script. power: everything, and the host starts again.
 */
export type Blow = "tree" | "agent" | "child" | "power";

/** The step that comes next, and with it the recovery. */
export type Recovery = "again" | "rollback" | "preflight";

/** One round, decided before it begins. */
export interface RoundPlan {
  readonly phase: Phase;
  readonly blow: Blow;
  /** When, as a share of what the phase takes undisturbed, 0 to 1. */
  readonly moment: number;
  readonly recovery: Recovery;
}

/** Round `number` of a seed. Pure: a round can be looked at again alone. */
export function planRound(seed: number, number: number): RoundPlan {
  const next = sequence(seed * 1_000_003 + number);
  const pick = <T>(weighted: readonly T[]): T => weighted[Math.floor(next() * weighted.length)] as T;
  return {
    phase: pick(["backup", "install", "install", "install", "rollback", "rollback"]),
    blow: pick(["tree", "tree", "tree", "agent", "child", "child", "power"]),
    moment: next(),
    recovery: pick(["again", "again", "rollback", "preflight"]),
  };
}
