import { dirname } from "node:path";
import type * as z from "zod";
import { failed, type StepOutcome } from "../../contract/envelope.ts";
import { Failure } from "../../contract/failures.ts";
import { type Lock, lockDigest } from "../../contract/lock.ts";
import type { RehearsalTest } from "../../contract/step-report.ts";
import { createBackup } from "../backup/create.ts";
import { type DifferenceOfClone, DifferencesOfClone } from "../backup/way-back.ts";
import { type Clone, openClone } from "../host/sandbox/clone.ts";
import { SandboxFailure } from "../host/sandbox/failure.ts";
import { verifyArchives } from "./archives.ts";
import { readLock } from "./lock-file.ts";
import { Applied } from "./rehearsal-change.ts";
import { boundTo, keepRehearsal } from "./rehearsal-record.ts";
import { judgeTests, TestsOfClone } from "./rehearsal-tests.ts";
import type { Step, StepAnswer, StepContext } from "./step.ts";
import { recover, requireClosed } from "./transaction.ts";

export interface RehearseOptions {
  /** Milliseconds apt and dpkg may take in the clone. @default 25 minutes */
  readonly deadlineMs?: number;
}

/** All together they stay below the step's own time-out. */
const CHANGE_MS = 25 * 60_000;
const TESTS_MS = 8 * 60_000;
const WAY_BACK_MS = 15 * 60_000;
/** What the agent in the clone may take beside apt. */
const BESIDE_MS = 120_000;
/** Packed packages to what is written: the copy in the pool, the new files, and the old ones, staged for the way back; and room. */
const WRITTEN = 9;
const ROOM_BYTES = 128 << 20;
/** File times and the clock differ by a tick; the clone's own files are older than that. */
const SLACK_MS = 20;
const UNCHANGED = "in the rehearsal, nothing of the host was changed";

/**
 * Makes the change of a lock in a clone of the live host before its window: proves the maintainer scripts and the services' configuration,
 * finds the exact set of paths to keep, and tries the way back. What fails here fails before anything of the host was changed.
 */
export const rehearse: Step<"rehearse"> = (context) => rehearseWith(context, {});

/** The rehearse step with another deadline. */
export async function rehearseWith(context: StepContext, options: RehearseOptions): Promise<StepAnswer<"rehearse">> {
  const { machine, runId, policy } = context;
  const lock = readLock(machine, runId, context.dryRun);
  if (lock.entries.length + lock.removals.length === 0)
    return { outcome: { outcome: "nothingToDo", message: "the lock changes nothing" }, details: {} };
  if (context.dryRun) return without(lock, "a dry run rehearses nothing");
  if (policy.rehearse === "off") return without(lock, "switched off by the policy");
  await recover(context);
  requireClosed(context);
  verifyArchives(machine, lock);
  const bound = boundTo(machine, lock, policy);
  const seen = await inClone(context, lock, options.deadlineMs ?? CHANGE_MS);
  if ("impossible" in seen) {
    if (policy.rehearse === "required") throw new Failure("cloneImpossible", seen.impossible);
    machine.log.warn(`no rehearsal, what to keep will be computed from lists and scripts alone: ${seen.impossible}`);
    return without(lock, seen.impossible);
  }
  const { paths, tests, differences } = seen;
  const details = { rehearsal: { changedPaths: paths.length, tests: [...tests], differences: [...differences] } };
  const problem = problemOf(seen);
  if (problem !== null) {
    const failure = new Failure("rehearsalFailed", `${UNCHANGED}: ${problem}`);
    machine.log.error(`${failure.code}: ${failure.message}`);
    return { outcome: failed(failure) as StepOutcome<"rehearse">, details };
  }
  keepRehearsal(machine, runId, bound, paths);
  const passed = tests.filter((test) => test.outcome === "passed").length;
  machine.log.info(
    `rehearsed: the change touches ${paths.length} paths, ${passed} configuration tests pass, and the way back is identical`,
  );
  const data = {
    lockDigest: lockDigest(lock),
    possible: true,
    reason: null,
    paths: paths.length,
    tests: passed,
    wayBack: "identical",
  } as const;
  return { outcome: { outcome: "succeeded", data }, details };
}

function without(lock: Lock, reason: string): StepAnswer<"rehearse"> {
  const data = {
    lockDigest: lockDigest(lock),
    possible: false,
    reason: reason.slice(0, 500),
    paths: 0,
    tests: 0,
    wayBack: "notTried",
  } as const;
  return { outcome: { outcome: "succeeded", data }, details: {} };
}

/** What the change of a lock came to in a clone of the host. */
interface Seen {
  /** Every path that the change created, changed or removed. */
  readonly paths: readonly string[];
  readonly tests: readonly RehearsalTest[];
  /** What the way back left different, in words. Not tried when a test failed. */
  readonly differences: readonly string[];
}

/** Why the change must not be made in earnest, or null. Pure. */
export function problemOf({ tests, differences }: Pick<Seen, "tests" | "differences">): string | null {
  const broken = tests.filter((test) => test.outcome === "failed");
  if (broken.length > 0)
    return broken.map(({ name, evidence }) => `the test of ${name} fails after the change: ${evidence}`).join("; ");
  if (differences.length === 0) return null;
  return `the way back leaves ${differences.length} differences: ${differences.slice(0, 5).join("; ")}`;
}

/** @throws Failure of the install step when the change fails there; `rehearsalFailed` when the clone was ended for what it used */
async function inClone(
  context: StepContext,
  lock: Lock,
  deadlineMs: number,
): Promise<Seen | { readonly impossible: string }> {
  const { machine, timed } = context;
  const bytes = lock.entries.reduce((sum, entry) => sum + entry.size, 0);
  let clone: Clone;
  try {
    clone = await timed("clone", () => openClone(machine, bytes * WRITTEN + ROOM_BYTES));
  } catch (error) {
    if (error instanceof SandboxFailure) return { impossible: error.message };
    throw error;
  }
  try {
    return await lookAt(context, lock, clone, deadlineMs);
  } catch (error) {
    // Its space is memory, of which there may be less than the change needs: that is no fault of the change. What the way back had
    // staged when it failed is gone by now, and its words are left.
    if (clone.isFull() || /No space left on device|ENOSPC/.test(String(error)))
      return { impossible: `the clone's ${clone.sizeBytes} bytes of memory are not enough` };
    throw error instanceof SandboxFailure ? new Failure("rehearsalFailed", `${UNCHANGED}: ${error.message}`) : error;
  } finally {
    await clone.close();
  }
}

async function lookAt(context: StepContext, lock: Lock, clone: Clone, deadlineMs: number): Promise<Seen> {
  const { machine, runId, policy, timed } = context;
  const from = machine.clock.now().getTime() - SLACK_MS;
  const change = { kind: "change", runId, policy, deadlineMs };
  const applied = await timed("change", () => ask(clone, change, Applied, deadlineMs + BESIDE_MS));
  if (applied.code !== null) throw new Failure(applied.code, `${UNCHANGED}: ${applied.message}`);
  const to = machine.clock.now().getTime() + SLACK_MS;
  const paths = await timed("changed paths", async () => clone.changedPaths());
  const tests = await timed("configuration tests", () => testsAfter(machine, clone));
  if (tests.some((test) => test.outcome === "failed")) return { paths, tests, differences: [] };
  const changed = new Set(paths);
  const byTests = tests.length === 0 ? [] : clone.changedPaths().filter((path) => !changed.has(path));
  // The clone's lower layer is the host itself: what is kept of it now is what the clone has to come back to.
  const { manifest } = await createBackup(machine, { runId, lock, rehearsed: paths, timed });
  const wayBack = { kind: "wayBack", backupId: manifest.id, from, to };
  const { differences } = await timed("way back", () => ask(clone, wayBack, DifferencesOfClone, WAY_BACK_MS));
  return { paths, tests, differences: notOfTests(differences, byTests).map(({ words }) => words) };
}

/**
 * What the way back left different, but for what the tests did meanwhile: nginx makes its folders when it is asked about its configuration.
 * Pure.
 * @param byTests paths that they created, changed or removed
 */
export function notOfTests(differences: readonly DifferenceOfClone[], byTests: readonly string[]): DifferenceOfClone[] {
  const touched = new Set(byTests);
  const around = new Set(byTests.map((path) => dirname(path)));
  return differences.filter(({ path, what }) => !touched.has(path) && !(what === "mtime" && around.has(path)));
}

/** Those that fail are asked again in a clone without the change: what failed before is not the change's fault. */
async function testsAfter(machine: StepContext["machine"], changed: Clone): Promise<RehearsalTest[]> {
  const after = await ask(changed, { kind: "tests", names: null }, TestsOfClone, TESTS_MS);
  const names = after.tests.filter((test) => !test.passed).map((test) => test.name);
  if (names.length === 0) return judgeTests(after, { tests: [] });
  const clone = await openClone(machine, ROOM_BYTES);
  try {
    return judgeTests(after, await ask(clone, { kind: "tests", names }, TestsOfClone, TESTS_MS));
  } finally {
    await clone.close();
  }
}

async function ask<T>(clone: Clone, task: object, answer: z.ZodType<T>, deadlineMs: number): Promise<T> {
  const result = await clone.agent(["clone", "--task", JSON.stringify(task)], deadlineMs);
  if (result.timedOut) throw new Failure("installTimedOut", `${UNCHANGED}: not done within ${deadlineMs / 1_000} s`);
  const line = result.stdout.trimEnd().split("\n").at(-1) ?? "";
  try {
    return answer.parse(JSON.parse(line));
  } catch (cause) {
    const words = `${line} ${result.stderr}`.trim().slice(-500);
    throw new Failure("rehearsalFailed", `${UNCHANGED}: the clone's agent gave no answer: ${words}`, { cause });
  }
}
