import { hostname } from "node:os";
import { HOST_PATHS } from "../../contract/names.ts";
import type { PatchPolicy } from "../../contract/request.ts";
import type { HostFigures } from "../../contract/steps.ts";
import { bootId, osRelease } from "../host/identity.ts";
import type { Machine } from "../host/machine.ts";
import { OPEN_STATES, readJournal } from "../patch/journal.ts";
import { rebootReasons } from "../patch/reboot.ts";
import { AGENT_VERSION } from "../version.ts";
import { type BackupState, backupState } from "./backup-state.ts";
import { hostFigures, violationCount } from "./figures.ts";
import { lastOperations, lastUpdate, type Operation } from "./history.ts";
import { type Pending, pendingUpdates } from "./pending.ts";

/** What show-status tells; the JSON form is this very value. */
export interface Status {
  readonly checkedAt: string;
  readonly agentVersion: string;
  readonly host: string;
  readonly release: string;
  readonly bootId: string;
  readonly rebootRequired: boolean;
  readonly pending: Pending;
  readonly lastOperation: Operation | null;
  /** When an update last ended well; null when none ever did. */
  readonly lastUpdate: string | null;
  /** The latest operations, newest first. */
  readonly history: readonly Operation[];
  readonly backups: BackupState;
  /** The last change; `open` while the host is neither old nor agreed on, `since` when it entered its state. */
  readonly transaction: {
    readonly runId: string;
    readonly state: string;
    readonly open: boolean;
    readonly since: string | null;
  } | null;
  readonly figures: HostFigures;
}

const HISTORY = 10;

/** Looks at the host; changes nothing. What it cannot see is said, not guessed. */
export async function readStatus(machine: Machine, policy: PatchPolicy): Promise<Status> {
  const pending = pendingUpdates(machine, policy);
  const history = lastOperations(machine, HISTORY);
  return {
    checkedAt: machine.clock.now().toISOString(),
    agentVersion: AGENT_VERSION,
    host: hostname(),
    release: osRelease(machine).name,
    bootId: bootId(machine),
    rebootRequired: (await rebootReasons(machine)).length > 0,
    pending: await pending,
    lastOperation: history[0] ?? null,
    lastUpdate: lastUpdate(machine)?.toISOString() ?? null,
    history,
    ...(await readHealth(machine)),
    figures: hostFigures(machine),
  };
}

/** What a health check judges by: little enough to be read every few minutes. */
export type Health = Pick<Status, "transaction" | "backups"> & {
  readonly figures: Pick<HostFigures, "securityViolations">;
};

export async function readHealth(machine: Machine): Promise<Health> {
  const journal = readJournal(machine);
  return {
    transaction:
      journal === null
        ? null
        : {
            runId: journal.runId,
            state: journal.state,
            open: OPEN_STATES.has(journal.state),
            since: journal.entered[journal.state] ?? null,
          },
    backups: await backupState(machine),
    figures: { securityViolations: violationCount(machine) },
  };
}

/** What keeps a host from being called healthy; empty when nothing does. Pure. */
export function healthProblems({ transaction, backups, figures }: Health): string[] {
  const { securityViolations } = figures;
  return [
    ...(transaction?.open === true
      ? [`the change of run ${transaction.runId} is unfinished: ${transaction.state}`]
      : []),
    ...(securityViolations > 0 ? [`${securityViolations} security violations are in the logs`] : []),
    ...(backups.valid === false ? [`the newest backup cannot be used: ${backups.problem}`] : []),
  ];
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
    ["Last update", status.lastUpdate ?? "never"],
    ["Last operation", lastOperation === null ? "none" : operationText(lastOperation)],
    ["Change", transaction === null ? "none" : changeText(transaction)],
    ["Backups", backupsText(status.backups)],
    ["Disk", `${figures.diskUsagePercent} % used at ${HOST_PATHS.work}`],
    ["Violations", String(figures.securityViolations)],
  ];
  const text = lines.map(([name, value]) => `${`${name}:`.padEnd(16)}${value}\n`).join("");
  if (!detailed) return text;
  const packages = pending.packages.map(
    (p) => `  ${p.name} ${p.from ?? "(new)"} -> ${p.version}${p.security ? " [security]" : ""}\n`,
  );
  const leftOut = pending.leftOut.map((l) => `  ${l.name} ${l.installed} -> ${l.candidate}: ${l.message}\n`);
  const history = status.history.map((one) => `  ${operationText(one)}\n`);
  const list = (title: string, rows: readonly string[]) => (rows.length > 0 ? `${title}:\n${rows.join("")}` : "");
  return `${text}${list("Pending updates", packages)}${list("Left out", leftOut)}${list("History, newest first", history)}`;
}

function changeText({ state, runId, since }: NonNullable<Status["transaction"]>): string {
  return `${state}${since === null ? "" : ` since ${since}`}, run ${runId}`;
}

function backupsText({ count, latest, latestAt, problem }: BackupState): string {
  if (latest === null) return "none";
  const state = problem === null ? `made ${latestAt}, valid` : `INVALID: ${problem}`;
  return `${count}, latest ${latest}, ${state}`;
}

function pendingText(pending: Status["pending"]): string {
  if (pending.total === 0) return "nothing";
  return `${pending.total}, ${pending.security} of them security updates, ${(pending.downloadBytes / 1e6).toFixed(1)} MB to download`;
}

function operationText(operation: Operation): string {
  const why = operation.code === null ? "" : ` (${operation.code}: ${operation.message ?? ""})`;
  return `${operation.operation} ${operation.outcome}${why} at ${operation.startedAt}`;
}
