import { mkdirSync, readdirSync, statSync } from "node:fs";
import * as z from "zod";
import { HOST_PATHS } from "../../contract/names.ts";
import type { RehearsalTest } from "../../contract/step-report.ts";
import { codeOf, onMachine } from "../host/files.ts";
import type { Machine } from "../host/machine.ts";
import { lastLines } from "./apt-failure.ts";
import { environment } from "./closed-world.ts";
import { type ConfigTest, configTests } from "./config-tests.ts";
import { ownPrograms } from "./own-programs.ts";

const DEADLINE_MS = 30_000;

/** What the agent in a clone is asked: to test services' configurations, all of them or those of these names. */
export const TestsTask = z.strictObject({ kind: z.literal("tests"), names: z.array(z.string()).nullable() });

/** How the tests went in a clone: its packages' programs may have written it, so it is read strictly. */
export const TestsOfClone = z.strictObject({
  tests: z
    .array(
      z.strictObject({
        name: z.string().max(300),
        passed: z.boolean(),
        evidence: z.string().max(4_000),
        durationMs: z.int().nonnegative(),
      }),
    )
    .max(500),
});
export type TestsOfClone = z.infer<typeof TestsOfClone>;

/**
 * Runs the configuration tests of what is installed where this process runs, and the administrator's own.
 * @throws Failure `pathUnsafe` for an own test that anybody but root may write
 */
export async function testsHere(machine: Machine, names: readonly string[] | null): Promise<TestsOfClone> {
  const known = [...configTests((path) => existsThere(machine, path), daemons(machine)), ...ownTests(machine)];
  const tests = [];
  for (const test of known) if (names === null || names.includes(test.name)) tests.push(await runTest(machine, test));
  return { tests };
}

/**
 * What the tests say of the change. Pure.
 * @param before the tests that failed after it, as they went on the host as it is
 */
export function judgeTests(after: TestsOfClone, before: TestsOfClone): RehearsalTest[] {
  const failedBefore = new Set(before.tests.filter((test) => !test.passed).map((test) => test.name));
  return after.tests.map(({ passed, ...test }) => ({
    ...test,
    outcome: passed ? "passed" : failedBefore.has(test.name) ? "failedBefore" : "failed",
  }));
}

type Runnable = Pick<ConfigTest, "name" | "program" | "args" | "folders">;

function ownTests(machine: Machine): Runnable[] {
  const folder = HOST_PATHS.rehearsalTests;
  return ownPrograms(machine, folder).map((name) => ({
    name: `rehearsal.d/${name}`,
    program: `${folder}/${name}`,
    args: [],
  }));
}

async function runTest(machine: Machine, test: Runnable): Promise<TestsOfClone["tests"][number]> {
  for (const folder of test.folders ?? []) mkdirSync(onMachine(machine, folder), { recursive: true, mode: 0o755 });
  const result = await machine.exec(test.program, test.args, { deadlineMs: DEADLINE_MS, env: environment() });
  const words = lastLines(result, 5);
  const end = result.timedOut ? `no answer within ${DEADLINE_MS / 1_000} s` : `exit ${result.exitCode}`;
  const passed = result.exitCode === 0;
  const evidence = passed ? words : words === "" ? end : `${end}: ${words}`;
  return { name: test.name, passed, evidence: evidence.slice(0, 4_000), durationMs: result.durationMs };
}

function daemons(machine: Pick<Machine, "root">): string[] {
  try {
    return readdirSync(onMachine(machine, "/usr/sbin"));
  } catch (error) {
    if (codeOf(error) === "ENOENT") return [];
    throw error;
  }
}

function existsThere(machine: Pick<Machine, "root">, path: string): boolean {
  return statSync(onMachine(machine, path), { throwIfNoEntry: false }) !== undefined;
}
