/** What a run used, counted as AWS would. */
export class Tally {
  /** Calls that reached their service, by `Service.Operation`. */
  readonly calls = new Map<string, number>();
  /** Calls that were refused for their rate, by the same names; and waits for transitions and children. */
  readonly throttles = new Map<string, number>();
  /** Lambda invocations by function. */
  readonly invocations = new Map<string, number>();
  /** Of them those that ended in an error, whatever its kind. */
  readonly failures = new Map<string, number>();
  /** Of them those that died. */
  readonly crashes = new Map<string, number>();
  coldStarts = 0;
  peakConcurrency = 0;
  gbSeconds = 0;
  transitions = 0;
  executions = 0;
  /** Bytes of history that the state machines log. */
  logBytes = 0;
  /** Steps that hosts did, each with one report put into the bucket by the host itself. */
  hostSteps = 0;

  count(of: Map<string, number>, name: string, by = 1): void {
    of.set(name, (of.get(name) ?? 0) + by);
  }

  /** Calls of a service, or all. */
  callsOf(service?: string): number {
    return sum(
      [...this.calls].filter(([name]) => service === undefined || name.startsWith(`${service}.`)).map(([, n]) => n),
    );
  }
}

export function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
