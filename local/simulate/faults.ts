/** What becomes of one event: at which milliseconds after it happened it arrives; nowhere when it is lost. */
export type Deliveries = readonly number[];

/** Where a Lambda dies: at its so-manieth SDK call, before that call reaches its service, or after it did its work there. */
export interface Crash {
  readonly call: number;
  readonly when: "before" | "after";
}

/** What goes wrong around the hosts. Each is asked once for each occasion, in the order of virtual time. */
export interface CloudFaults {
  /** @param isEarly whether an event may be told before its command has ended */
  deliveries(): Deliveries;
  /** Milliseconds after the sending at which an untimely event of the command arrives; null for none. */
  early(): number | null;
  /** The call is refused as throttled once more than its quota asks for. */
  throttles(service: string, operation: string): boolean;
  /** Null: this invocation lives. */
  crash(functionName: string): Crash | null;
}

/** Events arrive at once and once, nothing else goes wrong. */
export const NO_FAULTS: CloudFaults = {
  deliveries: () => [0],
  early: () => null,
  throttles: () => false,
  crash: () => null,
};

/** How often each of them happens, 0 to 1. */
export interface FaultRates {
  readonly lost: number;
  readonly doubled: number;
  readonly late: number;
  readonly early: number;
  readonly throttled: number;
  readonly crashed: number;
}

/** Events come up to ten minutes late, which also puts them out of order. */
const LATEST_MS = 600_000;
/** A Lambda of ours makes about so many calls at least; a crash beyond its last call does not happen. */
const LIKELY_CALLS = 6;

export function randomFaults(rates: FaultRates, fraction: () => number): CloudFaults {
  const happens = (rate: number) => fraction() < rate;
  const when = () => (happens(rates.late) ? Math.floor(fraction() * LATEST_MS) : 0);
  return {
    deliveries() {
      if (happens(rates.lost)) return [];
      return happens(rates.doubled) ? [when(), when()] : [when()];
    },
    early: () => (happens(rates.early) ? Math.floor(fraction() * 5_000) : null),
    throttles: () => happens(rates.throttled),
    crash() {
      if (!happens(rates.crashed)) return null;
      return { call: Math.floor(fraction() * LIKELY_CALLS), when: happens(0.5) ? "before" : "after" };
    },
  };
}

/** The invocation is over: whatever it still calls is never answered. */
export function deadEnd(): Promise<never> {
  return new Promise(() => {});
}
