/** What is to hold of a run. */
export interface Aim {
  readonly what: string;
  readonly value: number;
  readonly most: number;
  readonly isMet: boolean;
}

export interface Figures {
  readonly hosts: number;
  readonly transitions: number;
  readonly ssmCalls: number;
  readonly dollars: number;
  readonly seconds: number;
  readonly chainSeconds: number;
}

/** The fleet run's aims, set for 10,000 hosts; dollars grow with the fleet. Pure. */
export function aimsOf({ hosts, transitions, ssmCalls, dollars, seconds, chainSeconds }: Figures): Aim[] {
  const aim = (what: string, value: number, most: number): Aim => ({ what, value, most, isMet: value <= most });
  return [
    aim("transitions a host", transitions / hosts, 0.25),
    aim("Systems Manager calls a host", ssmCalls / hosts, 0.2),
    aim("dollars for 10,000 hosts", (dollars / hosts) * 10_000, 0.1),
    aim("wall time : slowest chain of batches", seconds / chainSeconds, 1.5),
  ];
}
