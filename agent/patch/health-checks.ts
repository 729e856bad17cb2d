import { HOST_PATHS } from "../../contract/names.ts";
import type { HealthCheckResult } from "../../contract/step-report.ts";
import { readConfig } from "../host/config.ts";
import type { Machine } from "../host/machine.ts";
import { outdatedUnits } from "../host/mapped-libraries.ts";
import { type Probed, probeHttp, probeSsh, sshAddresses } from "../host/probes.ts";
import { activeServices } from "../host/services.ts";
import { lastLines } from "./apt-failure.ts";
import { environment } from "./closed-world.ts";
import { ownPrograms } from "./own-programs.ts";

/** How often a check may fail before the host counts as unhealthy, and what each try may take, in milliseconds. */
export interface CheckPatience {
  readonly tries: number;
  readonly pauseMs: number;
  readonly deadlineMs: number;
}
export const PATIENCE: CheckPatience = { tries: 3, pauseMs: 2_000, deadlineMs: 60_000 };
/** Before a change nothing was restarted that would need its time. */
const PATIENCE_BEFORE: CheckPatience = { tries: 2, pauseMs: 1_000, deadlineMs: 60_000 };

/** The administrator's and the packages' own checks, in order of their names. @throws Failure `pathUnsafe` */
export function healthPrograms(machine: Pick<Machine, "root">): string[] {
  return ownPrograms(machine, HOST_PATHS.healthChecks);
}

/** Something that can be asked about the host's health. */
export interface HealthCheck {
  readonly name: string;
  ask(): Promise<Probed>;
}

/**
 * Everything that a host is asked before and after a change: the programs in health.d, the URLs of its configuration, and whether its
 * sshd answers. Where no sshd is installed it is not asked for.
 * @throws Failure `pathUnsafe`, `configurationInvalid`
 */
export async function healthChecksOf(machine: Machine, patience: CheckPatience): Promise<HealthCheck[]> {
  const config = readConfig(machine);
  const deadlineMs = config.AUTOPATCH_PROBE_SECONDS * 1_000;
  const programs = healthPrograms(machine).map((name) => ({ name, ask: () => runProgram(machine, name, patience) }));
  const urls = config.AUTOPATCH_PROBE_HTTP.map((url) => ({ name: url, ask: () => probeHttp(url, deadlineMs) }));
  const addresses = await sshAddresses(machine);
  const ssh = addresses === null ? [] : [{ name: "ssh", ask: () => probeSsh(addresses, deadlineMs) }];
  return [...programs, ...urls, ...ssh];
}

/** Asks, and again after a pause when it is not well: a service may need a moment after its restart. */
export async function runCheck(
  machine: Machine,
  { name, ask }: HealthCheck,
  { tries, pauseMs }: CheckPatience,
): Promise<HealthCheckResult> {
  const from = performance.now();
  for (let left = tries; ; left--) {
    const probed = await ask();
    if (probed.healthy || left <= 1) return { name, ...probed, durationMs: elapsed(from) };
    await machine.clock.sleep(pauseMs);
  }
}

/** Names of the checks that fail now, before anything is changed: a change is not blamed for them. */
export async function failingChecks(machine: Machine): Promise<string[]> {
  const failing: string[] = [];
  for (const check of await healthChecksOf(machine, PATIENCE_BEFORE)) {
    const { healthy, evidence } = await runCheck(machine, check, PATIENCE_BEFORE);
    if (healthy) continue;
    machine.log.warn(`${check.name} fails before anything is changed: ${evidence}`);
    failing.push(check.name);
  }
  return failing;
}

async function runProgram(machine: Machine, name: string, patience: CheckPatience): Promise<Probed> {
  const result = await machine.exec(`${HOST_PATHS.healthChecks}/${name}`, [], {
    deadlineMs: patience.deadlineMs,
    env: environment(),
  });
  const said = lastLines(result, 5);
  if (result.exitCode === 0) return { healthy: true, evidence: said };
  const end = result.timedOut ? `no answer within ${patience.deadlineMs / 1_000} s` : `exit ${result.exitCode}`;
  return { healthy: false, evidence: said === "" ? end : `${end}: ${said}` };
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

/** What was restarted after the installation runs what is on disk now. */
export async function checkLibraries(machine: Machine, restarted: readonly string[]): Promise<HealthCheckResult[]> {
  if (restarted.length === 0) return [];
  const from = performance.now();
  const stale = outdatedUnits(machine).filter(({ unit }) => restarted.includes(unit));
  const evidence = stale.map(({ unit, files }) => `${unit} still runs ${files.join(", ")} as replaced`).join("; ");
  const fine = `${restarted.length} restarted units run what is on disk`;
  const healthy = stale.length === 0;
  return [{ name: "libraries", healthy, evidence: healthy ? fine : evidence, durationMs: elapsed(from) }];
}

function elapsed(from: number): number {
  return Math.round(performance.now() - from);
}
