import type { StepReport } from "../../contract/step-report.ts";
import type { Machine } from "../host/machine.ts";
import type { StepContext } from "../patch/step.ts";

/** A context whose `timed` fills the list of timings beside it. */
export function stepContext(
  machine: Machine,
  request: Omit<StepContext, "machine" | "timed">,
): { context: StepContext; timings: StepReport["timings"] } {
  const timings: StepReport["timings"] = [];
  const timed = async <T>(part: string, work: () => Promise<T>): Promise<T> => {
    const from = performance.now();
    try {
      return await work();
    } finally {
      timings.push({ part, ms: Math.round(performance.now() - from) });
    }
  };
  return { context: { ...request, machine, timed }, timings };
}
