import { createHash } from "node:crypto";
import { distinctCves } from "../../contract/cve.ts";
import type { HostOutcome, HostReport, PackageChange, RunReport } from "../../contract/run.ts";
import { OUTCOME_WORDS } from "./sentence.ts";

export type Severity = "CRITICAL" | "HIGH" | "MEDIUM" | "INFORMATIONAL" | "UNSPECIFIED";

/** One line of what Systems Manager keeps of a host. Title at most 500 characters, names of details 64, their values 4,096. */
export interface ComplianceItem {
  readonly id: string;
  readonly title: string;
  readonly severity: Severity;
  readonly status: "COMPLIANT" | "NON_COMPLIANT";
  readonly details: Readonly<Record<string, string>>;
}

/** Everything that Systems Manager is to know of a host; replaces what it knew. */
export interface HostCompliance {
  readonly instanceId: string;
  readonly items: readonly ComplianceItem[];
  /** SHA-256 of the items in hexadecimal: the same where nothing changed. */
  readonly hash: string;
}

const LONGEST_TITLE = 500;
const LONGEST_VALUE = 4_096;
/** Pending security updates that are told one by one before it is said how many more there are. */
const MOST_PACKAGES = 50;

/**
 * Where each host of a run stands. Pure. A host that is up to date is compliant; one that is not is not, the more severely the more
 * its pending updates matter; one in doubt is the worst, for nobody can say. A dry run tells what is pending, as a scan does.
 */
export function complianceOf({ hosts }: Pick<RunReport, "hosts">): HostCompliance[] {
  return hosts.map((host) => {
    const items = itemsOf(host);
    const hash = createHash("sha256").update(JSON.stringify(items)).digest("hex");
    return { instanceId: host.instanceId, items, hash };
  });
}

function itemsOf(host: HostReport): ComplianceItem[] {
  const pending = UP_TO_DATE.has(host.outcome) ? [] : host.packages;
  const security = pending.filter((change) => change.security);
  return [
    {
      id: "AutoPatch",
      title: cut(`AutoPatch: ${OUTCOME_WORDS[host.outcome]}${sayPending(host, pending.length, security.length)}`),
      severity: severityOf(host, pending),
      status: UP_TO_DATE.has(host.outcome) ? "COMPLIANT" : "NON_COMPLIANT",
      details: detailsOf(host, pending.length, security),
    },
    ...security.slice(0, MOST_PACKAGES).map(packageItem),
  ];
}

const UP_TO_DATE: ReadonlySet<HostOutcome> = new Set<HostOutcome>(["committed", "nothingToDo"]);

function severityOf(host: HostReport, pending: readonly PackageChange[]): Severity {
  if (UP_TO_DATE.has(host.outcome)) return "INFORMATIONAL";
  if (host.outcome === "inDoubt") return "CRITICAL";
  const security = pending.filter((change) => change.security);
  if (security.some(({ critical }) => critical)) return "CRITICAL";
  if (security.length > 0 || (host.rollback?.reopenedCves?.length ?? 0) > 0) return "HIGH";
  // A host that came to no plan: nobody knows what is pending.
  return pending.length > 0 ? "MEDIUM" : "UNSPECIFIED";
}

function sayPending(host: HostReport, pending: number, security: number): string {
  if (UP_TO_DATE.has(host.outcome)) return "";
  if (pending === 0) return ", pending updates not known";
  return `, ${pending} ${pending === 1 ? "update" : "updates"} pending, ${security} of them security`;
}

/** Nothing that differs from run to run where the host does not: the run's id and time stand in the execution's summary. */
function detailsOf(host: HostReport, pending: number, security: readonly PackageChange[]): Record<string, string> {
  const { outcome, failure, rollback } = host;
  const cves = rollback?.reopenedCves ?? distinctCves(security) ?? [];
  return {
    Outcome: outcome,
    PendingUpdates: String(pending),
    PendingSecurityUpdates: String(security.length),
    ...(security.length > MOST_PACKAGES ? { NotListed: String(security.length - MOST_PACKAGES) } : {}),
    ...(failure === null ? {} : { FailedStep: failure.step, FailureCode: failure.code }),
    ...(rollback === null ? {} : { IdenticalAfterRollback: String(rollback.identical) }),
    ...(cves.length === 0 || UP_TO_DATE.has(outcome) ? {} : { OpenCves: joined(cves) }),
  };
}

function packageItem({ name, architecture, from, to, critical, cves }: PackageChange): ComplianceItem {
  return {
    id: `${name}:${architecture}`,
    title: cut(`${name} ${from ?? "not installed"} -> ${to ?? "removed"}`),
    severity: critical ? "CRITICAL" : "HIGH",
    status: "NON_COMPLIANT",
    details: { Cves: cves === null ? "not known" : joined(cves) },
  };
}

/** As many as fit, and how many more there are. */
function joined(cves: readonly string[]): string {
  const all = cves.join(",");
  if (all.length <= LONGEST_VALUE) return all;
  const kept = all
    .slice(0, LONGEST_VALUE - 20)
    .split(",")
    .slice(0, -1);
  return `${kept.join(",")} and ${cves.length - kept.length} more`;
}

function cut(text: string): string {
  return text.length <= LONGEST_TITLE ? text : `${text.slice(0, LONGEST_TITLE - 3)}...`;
}
