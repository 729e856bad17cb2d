import { asFailure } from "../../contract/failures.ts";
import type { StepContext } from "../patch/step.ts";
import { recordViolation } from "../security/violations.ts";
import { addOperation } from "../telemetry/history.ts";

/** Does a command's work and keeps in the host's history how it ended. */
export async function keepOperation(context: StepContext, name: string, work: () => Promise<number>): Promise<number> {
  const { machine } = context;
  const startedAt = machine.clock.now();
  const keep = (error: unknown) => {
    const failure = error === null ? null : asFailure(error);
    if (failure !== null) recordViolation(machine, context.runId, failure);
    addOperation(machine, {
      startedAt: startedAt.toISOString(),
      durationMs: machine.clock.now().getTime() - startedAt.getTime(),
      runId: context.runId,
      operation: context.dryRun ? `${name} (dry run)` : name,
      outcome: failure === null ? "succeeded" : "failed",
      code: failure?.code ?? null,
      message: failure?.message ?? null,
    });
  };
  try {
    const exit = await work();
    keep(null);
    return exit;
  } catch (error) {
    keep(error);
    throw error;
  }
}
