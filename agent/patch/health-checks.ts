import { lstatSync, readdirSync } from "node:fs";
import { Failure } from "../../contract/failures.ts";
import { HOST_PATHS } from "../../contract/names.ts";
import type { HealthCheckResult } from "../../contract/step-report.ts";
import { codeOf, onMachine, ownFolder } from "../host/files.ts";
import type { Machine } from "../host/machine.ts";
import { activeServices } from "../host/services.ts";
import { lastLines } from "./apt-failure.ts";
import { environment } from "./closed-world.ts";

/** How often a check may fail before the host counts as unhealthy, and what each try may take, in milliseconds. */
export interface CheckPatience {
  readonly tries: number;
  readonly pauseMs: number;
  readonly deadlineMs: number;
}
export const PATIENCE: CheckPatience = { tries: 3, pauseMs: 2_000, deadlineMs: 60_000 };

/**
 * The administrator's and the packages' own checks, in order of their names; a file that is not executable is not one.
 * @throws Failure `pathUnsafe` for a check that anybody but root may write: the agent runs them as root
 */
export function healthChecks(machine: Pick<Machine, "root">): string[] {
  let names: string[];
  try {
    names = readdirSync(onMachine(machine, HOST_PATHS.healthChecks)).sort();
  } catch (error) {
    if (codeOf(error) === "ENOENT") return [];
    throw error;
  }
  ownFolder(machine, HOST_PATHS.healthChecks);
  return names.filter((name) => {
    const path = `${HOST_PATHS.healthChecks}/${name}`;
    const stat = lstatSync(onMachine(machine, path));
    if (!stat.isFile() || (stat.mode & 0o111) === 0) return false;
    if (stat.uid !== (process.geteuid?.() ?? 0) || (stat.mode & 0o022) !== 0)
      throw new Failure(
        "pathUnsafe",
        `${path} belongs to user ${stat.uid} or is writable by others; it would run as root`,
      );
    return true;
  });
}

/** Runs one check, again after a pause when it fails: a service may need a moment after its restart. */
export async function runCheck(machine: Machine, name: string, patience: CheckPatience): Promise<HealthCheckResult> {
  const from = performance.now();
  let evidence = "";
  for (let left = patience.tries; left > 0; left--) {
    const result = await machine.exec(`${HOST_PATHS.healthChecks}/${name}`, [], {
      deadlineMs: patience.deadlineMs,
      env: environment(),
    });
    evidence = lastLines(result, 5);
    if (result.exitCode === 0) return { name, healthy: true, evidence, durationMs: elapsed(from) };
    const end = result.timedOut ? `no answer within ${patience.deadlineMs / 1_000} s` : `exit ${result.exitCode}`;
    evidence = evidence === "" ? end : `${end}: ${evidence}`;
    if (left > 1) await machine.clock.sleep(patience.pauseMs);
  }
  return { name, healthy: false, evidence, durationMs: elapsed(from) };
}

/** Every service that was active before the change is active again; sshd and the SSM agent are among them where they run. */
export async function checkServices(
  machine: Machine,
  before: readonly string[],
  patience: CheckPatience,
): Promise<HealthCheckResult[]> {
  if (before.length === 0) return [];
  const from = performance.now();
  let missing: string[] = [];
  for (let left = patience.tries; left > 0; left--) {
    const now = new Set(await activeServices(machine));
    missing = before.filter((name) => !now.has(name));
    if (missing.length === 0) break;
    if (left > 1) await machine.clock.sleep(patience.pauseMs);
  }
  const healthy = missing.length === 0;
  const evidence = healthy
    ? `${before.length} services are active, as before`
    : `no longer active: ${missing.join(", ")}`;
  return [{ name: "services", healthy, evidence, durationMs: elapsed(from) }];
}

function elapsed(from: number): number {
  return Math.round(performance.now() - from);
}
