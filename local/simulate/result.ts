import type { Aim } from "./aims.ts";
import type { Honesty } from "./honesty.ts";
import { costs, type Prices } from "./prices.ts";
import { sum, type Tally } from "./tally.ts";

/** One of the two designs: what its run used. */
export interface Side {
  /** Virtual seconds from start to end. */
  readonly seconds: number;
  readonly transitions: number;
  readonly executions: number;
  readonly calls: Readonly<Record<string, number>>;
  readonly throttles: Readonly<Record<string, number>>;
  readonly invocations: number;
  readonly byFunction: Readonly<Record<string, number>>;
  readonly coldStarts: number;
  readonly peakConcurrency: number;
  readonly crashes: number;
  readonly dollars: Readonly<Record<string, number>>;
  readonly total: number;
  /** Dollars of the reports that hosts put into the bucket themselves, one a step; the same in both designs. */
  readonly hostReports: number;
  readonly unanswered: number;
}

/** What `npm run simulate` tells, and writes as JSON. */
export interface SimulationResult {
  readonly hosts: number;
  readonly seed: number;
  readonly faults: boolean;
  readonly firstRun: boolean;
  readonly region: string;
  readonly outcome: string;
  readonly sentence: string;
  readonly ours: Side;
  readonly naive: Side;
  readonly chainSeconds: number;
  readonly aims: readonly Aim[];
  readonly honesty: Honesty;
  readonly unfinished: readonly string[];
  readonly machine: { readonly seconds: number; readonly megabytes: number };
}

/** Pure. */
export function sideOf(
  run: { readonly seconds: number; readonly tally: Tally; readonly unanswered: number },
  prices: Prices,
): Side {
  const { tally } = run;
  const dollars = costs(tally, prices);
  return {
    seconds: run.seconds,
    transitions: tally.transitions,
    executions: tally.executions,
    calls: Object.fromEntries(tally.calls),
    throttles: Object.fromEntries(tally.throttles),
    invocations: sum([...tally.invocations.values()]),
    byFunction: Object.fromEntries(tally.invocations),
    coldStarts: tally.coldStarts,
    peakConcurrency: tally.peakConcurrency,
    crashes: sum([...tally.crashes.values()]),
    dollars: dollars.run,
    total: sum(Object.values(dollars.run)),
    hostReports: dollars.hosts,
    unanswered: run.unanswered,
  };
}
