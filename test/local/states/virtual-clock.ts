import { setImmediate as turn } from "node:timers/promises";
import type { Clock } from "../../../local/states/ports.ts";

interface Timer {
  readonly at: number;
  readonly ring: () => void;
}

/** Time that stands still until nothing else can happen, then jumps to the next alarm. */
export class VirtualClock implements Clock {
  private millis: number;
  private timers: Timer[] = [];

  constructor(start = "2026-03-01T02:00:00.000Z") {
    this.millis = Date.parse(start);
  }

  now(): Date {
    return new Date(this.millis);
  }

  sleep(ms: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const timer = { at: this.millis + ms, ring: resolve };
      const drop = () => {
        this.timers = this.timers.filter((other) => other !== timer);
        reject(new Error("sleep was cut short"));
      };
      if (signal.aborted) return drop();
      signal.addEventListener("abort", drop, { once: true });
      this.timers.push(timer);
    });
  }

  /** Lets everything that needs no time happen. */
  async settle(): Promise<void> {
    for (let turns = 0; turns < 3; turns += 1) await turn();
  }

  /** Settles, then passes `ms`, ringing each alarm at its own time. */
  async pass(ms: number): Promise<void> {
    const end = this.millis + ms;
    await this.settle();
    for (let next = this.earliest(); next !== undefined && next.at <= end; next = this.earliest()) {
      this.ring(next);
      await this.settle();
    }
    this.millis = end;
  }

  /** Runs until `work` is done, jumping from alarm to alarm. Fails when nothing will ever happen again. */
  async until<T>(work: Promise<T>): Promise<T> {
    let done = false;
    const finish = () => {
      done = true;
    };
    work.then(finish, finish);
    await this.settle();
    while (!done) {
      const next = this.earliest();
      if (next === undefined) throw new Error("nothing is running and no alarm is set");
      this.ring(next);
      await this.settle();
    }
    return work;
  }

  private earliest(): Timer | undefined {
    return this.timers.toSorted((one, other) => one.at - other.at)[0];
  }

  private ring(timer: Timer): void {
    this.timers = this.timers.filter((other) => other !== timer);
    this.millis = timer.at;
    timer.ring();
  }
}
