import { setTimeout } from "node:timers/promises";

/** Asks again and again until something is true. @throws Error naming what did not come true in time */
export async function until(what: string, ms: number, ask: () => Promise<boolean> | boolean): Promise<void> {
  for (const end = Date.now() + ms; !(await ask()); await setTimeout(200))
    if (Date.now() > end) throw new Error(`${what}: not within ${ms / 1_000} s`);
}
