import * as z from "zod";
import { FAILURE_CODES, Failure } from "../../contract/failures.ts";
import type { Lock } from "../../contract/lock.ts";
import { DifferencesOfClone, type WayBackTask } from "../backup/way-back.ts";
import { type Clone, openClone } from "../host/sandbox/clone.ts";
import { SandboxFailure } from "../host/sandbox/failure.ts";
import { applyLock } from "./apply.ts";
import { closeClosedWorld, openClosedWorld } from "./closed-world.ts";
import { readLock } from "./lock-file.ts";
import type { StepContext } from "./step.ts";

const DEADLINE_MS = 20 * 60_000;
/** Packed packages to what their upgrade writes: the copy in the pool, both versions' files, and room. */
const WRITTEN = 6;
const ROOM_BYTES = 128 << 20;
/** File times and the clock differ by a tick; the clone's own files are older than that. */
const SLACK_MS = 20;

/** What the change of a lock came to in a clone of the host. */
export interface Rehearsal {
  /** Every path that the change created, changed or removed. */
  readonly paths: readonly string[];
  /**
   * Puts a backup back in the clone, where the change has been made, and compares.
   * @throws Failure `rollbackIncomplete` naming the first differences
   */
  wayBack(backupId: string): Promise<void>;
  close(): Promise<void>;
}

/** How a change went, told by the agent in the clone: a program of the clone's packages may have written it, so it is read strictly. */
const Applied = z.strictObject({ code: z.enum(FAILURE_CODES).nullable(), message: z.string().max(20_000) });

/**
 * Makes the change of a lock in a clone of the live host.
 * @returns what it came to; or why no clone of this host can be had
 * @throws Failure of the install step when the change fails there: nothing of the host was changed
 */
export async function rehearse(context: StepContext, lock: Lock): Promise<Rehearsal | { readonly impossible: string }> {
  const { machine, runId, policy, timed } = context;
  const bytes = lock.entries.reduce((sum, entry) => sum + entry.size, 0);
  let clone: Clone;
  try {
    clone = await timed("clone", () => openClone(machine, bytes * WRITTEN + ROOM_BYTES));
  } catch (error) {
    if (error instanceof SandboxFailure) return { impossible: error.message };
    throw error;
  }
  try {
    const from = machine.clock.now().getTime() - SLACK_MS;
    const task = JSON.stringify({ kind: "change", runId, policy });
    const applied = await timed("rehearsal", () => ask(clone, task, Applied));
    if (applied.code !== null)
      throw new Failure(applied.code, `in the rehearsal, nothing of the host was changed: ${applied.message}`);
    const to = machine.clock.now().getTime() + SLACK_MS;
    const paths = await timed("changed paths", async () => clone.changedPaths());
    return {
      paths,
      wayBack: (backupId) => timed("way back", () => goBack(clone, { kind: "wayBack", backupId, from, to })),
      close: () => clone.close(),
    };
  } catch (error) {
    await clone.close();
    throw error instanceof SandboxFailure ? new Failure("installFailed", `in the rehearsal: ${error.message}`) : error;
  }
}

async function goBack(clone: Clone, task: WayBackTask): Promise<void> {
  const { differences } = await ask(clone, JSON.stringify(task), DifferencesOfClone);
  if (differences.length === 0) return;
  throw new Failure(
    "rollbackIncomplete",
    `in the rehearsal of the way back, nothing of the host was changed: ${differences.length} differences: ${differences.slice(0, 5).join("; ")}`,
  );
}

async function ask<T>(clone: Clone, task: string, answer: z.ZodType<T>): Promise<T> {
  const result = await clone.agent(["clone", "--task", task], DEADLINE_MS);
  if (result.timedOut) throw new Failure("installTimedOut", `in the rehearsal: not done within ${DEADLINE_MS} ms`);
  const line = result.stdout.trimEnd().split("\n").at(-1) ?? "";
  try {
    return answer.parse(JSON.parse(line));
  } catch (cause) {
    const words = `${line} ${result.stderr}`.trim().slice(-500);
    throw new Failure("installFailed", `in the rehearsal: the clone's agent gave no answer: ${words}`, { cause });
  }
}

/** The change itself, as the agent in the clone makes it: in the closed world that the install step uses, with its options. */
export async function changeHere(context: StepContext): Promise<z.infer<typeof Applied>> {
  const { machine, runId } = context;
  try {
    const world = await openClosedWorld(machine, readLock(machine, runId, false));
    const { failure } = await applyLock(context, world, DEADLINE_MS);
    return { code: failure?.code ?? null, message: failure?.message ?? "" };
  } finally {
    closeClosedWorld(machine);
  }
}
