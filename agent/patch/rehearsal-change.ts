import * as z from "zod";
import { RunId } from "../../contract/envelope.ts";
import { asFailure, FAILURE_CODES } from "../../contract/failures.ts";
import { PatchPolicy } from "../../contract/request.ts";
import { applyLock } from "./apply.ts";
import { closeClosedWorld, openClosedWorld } from "./closed-world.ts";
import { readLock } from "./lock-file.ts";
import type { StepContext } from "./step.ts";

/** What the agent in a clone is asked: to make the change of the lock that lies there. */
export const ChangeTask = z.strictObject({
  kind: z.literal("change"),
  runId: RunId,
  policy: PatchPolicy,
  deadlineMs: z.int().positive(),
});

/** How it went: a program of the clone's packages may have written it, so it is read strictly. */
export const Applied = z.strictObject({ code: z.enum(FAILURE_CODES).nullable(), message: z.string().max(20_000) });

/** Makes the change where this process runs, in the closed world that the install step uses and with its options. */
export async function changeHere(context: StepContext, deadlineMs: number): Promise<z.infer<typeof Applied>> {
  const { machine, runId } = context;
  try {
    const world = await openClosedWorld(machine, readLock(machine, runId, false));
    const { failure } = await applyLock(context, world, deadlineMs);
    return { code: failure?.code ?? null, message: failure?.message ?? "" };
  } catch (error) {
    const { code, message } = asFailure(error);
    return { code, message };
  } finally {
    closeClosedWorld(machine);
  }
}
