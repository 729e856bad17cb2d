import { afterAll, afterEach, beforeAll, vi } from "vitest";
import { type Synthesised, synthesised } from "../infra/assembly.ts";
import { openWire } from "./run-fleet.ts";

/**
 * The stack that a file's scenarios run, with the loopback end that its handlers call; a scenario may set the clock. Both go when the file
 * is through.
 * @param config laid over a slice of a minute
 * @param attempts as openWire takes it
 */
export function standing(config: object = {}, attempts?: number): Synthesised {
  const stack = synthesised({ waitSliceSeconds: 60, ...config });
  let close: () => Promise<void>;
  beforeAll(async () => {
    close = await openWire(attempts);
    vi.spyOn(console, "log").mockReturnValue();
  });
  afterEach(() => void vi.useRealTimers());
  afterAll(async () => {
    await close();
    vi.restoreAllMocks();
    stack.remove();
  });
  return stack;
}
