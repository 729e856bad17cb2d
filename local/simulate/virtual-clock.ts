import type { Clock } from "../states/ports.ts";

interface Alarm {
  readonly at: number;
  readonly order: number;
  /** Undefined once it rang or was cut short. */
  ring: (() => void) | undefined;
}

/** Time that stands still until nothing else can happen, then jumps to the next alarm. For work that never waits for the world outside. */
export class VirtualClock implements Clock {
  #millis: number;
  #set = 0;
  readonly #alarms: Alarm[] = [];

  constructor(start = "2026-03-01T02:00:00.000Z") {
    this.#millis = Date.parse(start);
  }

  now(): Date {
    return new Date(this.#millis);
  }

  /** Milliseconds since 1970. */
  get millis(): number {
    return this.#millis;
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(new Error("sleep was cut short"));
      const alarm: Alarm = { at: this.#millis + Math.max(0, Math.ceil(ms)), order: this.#set++, ring: undefined };
      const drop = () => {
        alarm.ring = undefined;
        reject(new Error("sleep was cut short"));
      };
      alarm.ring = () => {
        signal?.removeEventListener("abort", drop);
        resolve();
      };
      signal?.addEventListener("abort", drop, { once: true });
      this.#push(alarm);
    });
  }

  /** Runs until `work` is done, jumping from alarm to alarm. @throws Error when nothing will ever happen again */
  async until<T>(work: Promise<T>): Promise<T> {
    let done = false;
    const finish = () => {
      done = true;
    };
    work.then(finish, finish);
    await settled();
    while (!done) {
      if (!this.#jump()) throw new Error("nothing runs and no alarm is set: somebody waits for ever");
      await settled();
    }
    return work;
  }

  /** Lets everything that is still under way come to its end. */
  async drain(): Promise<void> {
    await settled();
    while (this.#jump()) await settled();
  }

  /** Goes to the next moment for which an alarm is set, and rings all that are set for it. */
  #jump(): boolean {
    let next = this.#pop();
    while (next !== undefined && next.ring === undefined) next = this.#pop();
    if (next === undefined) return false;
    this.#millis = next.at;
    next.ring?.();
    while (this.#alarms[0] !== undefined && this.#alarms[0].at <= this.#millis) this.#pop()?.ring?.();
    return true;
  }

  #push(alarm: Alarm): void {
    const heap = this.#alarms;
    let at = heap.push(alarm) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!isBefore(alarm, heap[parent] as Alarm)) break;
      heap[at] = heap[parent] as Alarm;
      at = parent;
    }
    heap[at] = alarm;
  }

  #pop(): Alarm | undefined {
    const heap = this.#alarms;
    const first = heap[0];
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return first;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && isBefore(heap[child + 1] as Alarm, heap[child] as Alarm)) child++;
      if (!isBefore(heap[child] as Alarm, last)) break;
      heap[at] = heap[child] as Alarm;
      at = child;
    }
    heap[at] = last;
    return first;
  }
}

function isBefore(one: Alarm, other: Alarm): boolean {
  return one.at < other.at || (one.at === other.at && one.order < other.order);
}

/** Every promise that can go on without the clock has gone on: the microtasks are empty when the event loop turns. */
function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
