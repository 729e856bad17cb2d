import { hostname } from "node:os";
import { HOST_PATHS } from "../../contract/names.ts";
import type { PatchPolicy } from "../../contract/request.ts";
import type { LeftOut, PlannedPackage } from "../../contract/step-report.ts";
import type { HostFigures } from "../../contract/steps.ts";
import { lstatOrNull, onMachine } from "../host/files.ts";
import { bootId, osRelease } from "../host/identity.ts";
import type { Machine } from "../host/machine.ts";
import { OPEN_STATES, readJournal } from "../patch/journal.ts";
import { resolvePlan } from "../patch/resolver.ts";
import { AGENT_VERSION } from "../version.ts";
import { backupNames, hostFigures } from "./figures.ts";
import { lastOperations, type Operation } from "./history.ts";

/** What show-status tells; the JSON form is this very value. */
export interface Status {
  readonly checkedAt: string;
  readonly agentVersion: string;
  readonly host: string;
  readonly release: string;
  readonly bootId: string;
  readonly rebootRequired: boolean;
  /** What is pending by the package lists as they are; they are not refreshed. */
  readonly pending: {
    readonly total: number;
    readonly security: number;
    readonly critical: readonly string[];
    readonly downloadBytes: number;
    readonly packages: readonly Pick<PlannedPackage, "name" | "from" | "version" | "security">[];
    readonly leftOut: readonly LeftOut[];
    /** Why it is not known; null when it is. */
    readonly problem: string | null;
  };
  readonly lastOperation: Operation | null;
  readonly backups: { readonly count: number; readonly latest: string | null };
  /** The last change; `open` while the host is neither old nor agreed on. */
  readonly transaction: { readonly runId: string; readonly state: string; readonly open: boolean } | null;
  readonly figures: HostFigures;
}

/** Looks at the host; changes nothing. Not root, it sees less: what it cannot see is said, not guessed. */
export async function readStatus(machine: Machine, policy: PatchPolicy): Promise<Status> {
  const journal = readJournal(machine);
  const backups = backupNames(machine);
  return {
    checkedAt: machine.clock.now().toISOString(),
    agentVersion: AGENT_VERSION,
    host: hostname(),
    release: osRelease(machine).name,
    bootId: bootId(machine),
    rebootRequired: ["/run/reboot-required", "/var/run/reboot-required"].some(
      (path) => lstatOrNull(onMachine(machine, path)) !== null,
    ),
    pending: await pendingUpdates(machine, policy),
    lastOperation: lastOperations(machine, 1)[0] ?? null,
    backups: { count: backups.length, latest: backups.at(-1) ?? null },
    transaction:
      journal === null ? null : { runId: journal.runId, state: journal.state, open: OPEN_STATES.has(journal.state) },
    figures: await hostFigures(machine),
  };
}

async function pendingUpdates(machine: Machine, policy: PatchPolicy): Promise<Status["pending"]> {
  try {
    const { plan } = await resolvePlan(machine, policy);
    return {
      total: plan.packages.length + plan.removals.length,
      security: plan.packages.filter((p) => p.security).length,
      critical: plan.packages.filter((p) => p.critical).map((p) => p.name),
      downloadBytes: plan.downloadBytes,
      packages: plan.packages.map(({ name, from, version, security }) => ({ name, from, version, security })),
      leftOut: plan.leftOut,
      problem: null,
    };
  } catch (error) {
    const problem = (error as Error).message;
    return { total: 0, security: 0, critical: [], downloadBytes: 0, packages: [], leftOut: [], problem };
  }
}

/** The status for a person, one fact a line; with each package when detailed. Pure. */
export function statusText(status: Status, detailed: boolean): string {
  const { pending, figures, lastOperation, transaction } = status;
  const lines: [string, string][] = [
    ["Host", `${status.host}, ${status.release}`],
    ["Agent", status.agentVersion],
    ["Checked", status.checkedAt],
    ["Packages", `${figures.totalPackages} installed`],
    ["Pending", pending.problem === null ? pendingText(pending) : `unknown: ${pending.problem}`],
    ["Critical", pending.critical.join(", ") || "none pending"],
    ["Left out", pending.leftOut.map((l) => `${l.name} (${l.reason})`).join(", ") || "none"],
    ["Reboot", status.rebootRequired ? "required" : "not required"],
    ["Last operation", lastOperation === null ? "none" : operationText(lastOperation)],
    ["Change", transaction === null ? "none" : `${transaction.state}, run ${transaction.runId}`],
    ["Backups", status.backups.latest === null ? "none" : `${status.backups.count}, latest ${status.backups.latest}`],
    ["Disk", `${figures.diskUsagePercent} % used at ${HOST_PATHS.work}`],
    ["Violations", String(figures.securityViolations)],
  ];
  const text = lines.map(([name, value]) => `${`${name}:`.padEnd(16)}${value}\n`).join("");
  if (!detailed) return text;
  const packages = pending.packages.map(
    (p) => `  ${p.name} ${p.from ?? "(new)"} -> ${p.version}${p.security ? " [security]" : ""}\n`,
  );
  const leftOut = pending.leftOut.map((l) => `  ${l.name} ${l.installed} -> ${l.candidate}: ${l.message}\n`);
  return `${text}${packages.length > 0 ? "Pending updates:\n" : ""}${packages.join("")}${leftOut.length > 0 ? "Left out:\n" : ""}${leftOut.join("")}`;
}

function pendingText(pending: Status["pending"]): string {
  if (pending.total === 0) return "nothing";
  return `${pending.total}, ${pending.security} of them security updates, ${(pending.downloadBytes / 1e6).toFixed(1)} MB to download`;
}

function operationText(operation: Operation): string {
  const why = operation.code === null ? "" : ` (${operation.code}: ${operation.message ?? ""})`;
  return `${operation.operation} ${operation.outcome}${why} at ${operation.startedAt}`;
}
