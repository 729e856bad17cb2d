import { Aborted } from "./errors.ts";
import type { Clock } from "./ports.ts";

/** Waits for `work`, but no longer than `signal` lives. @throws Aborted as soon as the signal is aborted. */
export function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const stop = () => reject(new Aborted());
    if (signal.aborted) stop();
    signal.addEventListener("abort", stop, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener("abort", stop));
  });
}

/** Sleeps on the port's clock. @throws Aborted */
export function pause(clock: Clock, ms: number, signal: AbortSignal): Promise<void> {
  return unlessAborted(clock.sleep(ms, signal), signal);
}

/**
 * Runs `work` with a deadline. When time is up, its signal is aborted and `onTimeout` is thrown.
 * `ms` undefined: no deadline. @throws Aborted when the outer signal is.
 */
export async function within<T>(
  clock: Clock,
  ms: number | undefined,
  outer: AbortSignal,
  onTimeout: () => Error,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const over = new AbortController();
  const signal = AbortSignal.any([outer, over.signal]);
  const running = unlessAborted(work(signal), outer);
  const alarm = ms === undefined ? running : ring(clock, ms, signal, onTimeout, running);
  try {
    return await Promise.race([running, alarm]);
  } finally {
    over.abort();
    alarm.catch(() => undefined);
    running.catch(() => undefined);
  }
}

async function ring<T>(
  clock: Clock,
  ms: number,
  signal: AbortSignal,
  onTimeout: () => Error,
  running: Promise<T>,
): Promise<T> {
  // A sleep that was cut short is no time-out: then the work decides.
  await clock.sleep(ms, signal).catch(() => undefined);
  if (signal.aborted) return running;
  throw onTimeout();
}
