import { Failure } from "../../contract/failures.ts";
import { HOST_PATHS } from "../../contract/names.ts";
import type { Operation } from "../../contract/request.ts";
import type { AptFacts, PackagePolicy, Simulation, VersionDetails } from "../patch/apt-facts.ts";
import { compareVersions } from "../patch/debian-version.ts";
import { parseDetails, parsePolicies, parseSimulation, parseUris } from "./apt-output.ts";
import { dpkgPackages, nativeArchitecture } from "./dpkg.ts";
import { requireEnded } from "./ended.ts";
import type { ExecResult } from "./exec.ts";
import { ownFolder } from "./files.ts";
import type { Machine } from "./machine.ts";

/** A resolver that thinks longer than this does not end. */
export const RESOLVER_DEADLINE_MS = 120_000;

/** What no apt.conf of the host may change under the agent's feet: no lock taken, nothing removed on the side. */
export const PLANNING: readonly string[] = [
  "-q",
  "-y",
  "-o",
  "Debug::NoLocking=1",
  "-o",
  "APT::Get::AutomaticRemove=false",
  "-o",
  "APT::Get::AllowUnauthenticated=false",
  "-o",
  "APT::Get::Purge=false",
];

/** The verb of apt-get for an operation. */
function verb(operation: Operation): string[] {
  return operation === "full-update" ? ["dist-upgrade"] : ["upgrade", "--with-new-pkgs"];
}

/**
 * Everything a plan is decided from, asked of apt and dpkg without taking a lock or changing anything.
 * @param options more options for each call of apt, such as preferences to plan with
 * @throws Failure `resolverFailed` with apt's own words, `resolverTimedOut`
 */
export async function readAptFacts(
  machine: Machine,
  operation: Operation,
  options: readonly string[] = [],
): Promise<AptFacts> {
  const [simulation, uris, { native, installed, policies }, held] = await Promise.all([
    simulate(machine, operation, options),
    printUris(machine, operation, options),
    readPolicies(machine, options),
    plan(machine, "apt-mark", ["showhold"]),
  ]);
  // apt's resolver is what takes the time of a plan: it is asked a second time only for what the first answer left out.
  const asksAgain = operation !== "full-update" && leavesOut(simulation, policies);
  const resolvingAll = asksAgain ? simulate(machine, "full-update", options) : simulation;
  const describing = readDetails(machine, [
    ...simulation.installs.map((i) => `${i.name}:${i.architecture === "all" ? native : i.architecture}=${i.version}`),
    ...policies.flatMap((p) =>
      p.versions
        .filter((v) => compareVersions(v.version, p.installed) > 0)
        .map((v) => `${p.name}${p.architecture === null ? "" : `:${p.architecture}`}=${v.version}`),
    ),
  ]);
  const [details, fullSimulation] = await Promise.all([describing, resolvingAll]);
  return {
    nativeArchitecture: native,
    simulation,
    fullSimulation,
    uris,
    installed,
    policies,
    held: held.stdout.split("\n").filter((name) => name !== ""),
    details,
  };
}

/** What is installed, and what apt would choose for each. */
async function readPolicies(machine: Machine, options: readonly string[]) {
  const [packages, native] = await Promise.all([dpkgPackages(machine), nativeArchitecture(machine)]);
  const installed = packages.filter((p) => !/^.[nc]/.test(p.status));
  const asked = installed.map((p) =>
    p.architecture === native || p.architecture === "all" ? p.name : `${p.name}:${p.architecture}`,
  );
  const policies = parsePolicies((await plan(machine, "apt-cache", [...options, "policy", ...asked])).stdout);
  return { native, installed, policies };
}

/** Whether an update is pending that the simulation does not carry out. */
function leavesOut(simulation: Simulation, policies: readonly PackagePolicy[]): boolean {
  const touched = new Set([...simulation.installs, ...simulation.removals].map((one) => one.name));
  return policies.some((p) => p.candidate !== null && p.candidate !== p.installed && !touched.has(p.name));
}

async function simulate(machine: Machine, operation: Operation, options: readonly string[]): Promise<Simulation> {
  return parseSimulation((await plan(machine, "apt-get", [...PLANNING, ...options, "-s", ...verb(operation)])).stdout);
}

async function printUris(machine: Machine, operation: Operation, options: readonly string[]) {
  // apt leaves out what it finds in its own archives or in the current directory: both are an empty folder here.
  const empty = `${HOST_PATHS.state}/empty`;
  ownFolder(machine, HOST_PATHS.state, 0o700);
  const cwd = ownFolder(machine, empty, 0o700);
  const args = [
    ...PLANNING,
    ...options,
    "--print-uris",
    "-o",
    "Acquire::ForceHash=SHA256",
    "-o",
    `Dir::Cache::Archives=${empty}`,
    ...verb(operation),
  ];
  return parseUris((await plan(machine, "apt-get", args, cwd)).stdout);
}

async function readDetails(machine: Machine, versions: readonly string[]): Promise<VersionDetails[]> {
  if (versions.length === 0) return [];
  return parseDetails((await plan(machine, "apt-cache", ["show", ...new Set(versions)])).stdout);
}

async function plan(machine: Machine, program: string, args: readonly string[], cwd?: string): Promise<ExecResult> {
  const result = await machine.exec(program, args, {
    deadlineMs: RESOLVER_DEADLINE_MS,
    maxOutputBytes: 64 * 1024 * 1024,
    ...(cwd === undefined ? {} : { cwd }),
  });
  const what = `${program} ${args
    .filter((a) => /^[a-z]/.test(a))
    .slice(0, 2)
    .join(" ")}`;
  if (result.timedOut) {
    throw new Failure("resolverTimedOut", `${what} did not end within ${RESOLVER_DEADLINE_MS / 1000} s`);
  }
  if (requireEnded(result).exitCode !== 0) throw new Failure("resolverFailed", `${what}: ${aptProblem(result)}`);
  return result;
}

/** apt's own explanation: its errors and, for broken dependencies, the list it prints on stdout. */
export function aptProblem(result: Pick<ExecResult, "stdout" | "stderr" | "exitCode">): string {
  const errors = result.stderr.split("\n").filter((line) => /^(E|W|Err):/.test(line));
  const unmet = /The following packages have unmet dependencies:\n((?: .*\n)+)/.exec(result.stdout)?.[1];
  const said = [...(unmet === undefined ? [] : [unmet.replace(/\s+/g, " ").trim()]), ...errors].join(" ");
  return said === "" ? `exit ${result.exitCode}: ${result.stderr.trim().slice(-400)}` : said;
}
