export interface TimedPhase {
  readonly phase: string;
  /** Milliseconds by the wall clock. Phases that run side by side each count in full. */
  readonly ms: number;
}

/** Measures the named phases of a run, in the order they began. */
export class Phases {
  readonly #now: () => number;
  readonly #done: { phase: string; ms: number; began: number }[] = [];

  /** @param now milliseconds of a clock that never goes back */
  constructor(now: () => number) {
    this.#now = now;
  }

  async measure<T>(phase: string, work: () => Promise<T>): Promise<T> {
    const began = this.#now();
    try {
      return await work();
    } finally {
      this.#done.push({ phase, ms: Math.round(this.#now() - began), began });
    }
  }

  get all(): TimedPhase[] {
    return [...this.#done].sort((a, b) => a.began - b.began).map(({ phase, ms }) => ({ phase, ms }));
  }
}
