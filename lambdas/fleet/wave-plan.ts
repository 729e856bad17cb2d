import type { ApprovalRequest, PlannedChange } from "../../contract/approval.ts";
import { dataOf, type StepResult } from "../../contract/envelope.ts";
import { lockDigest } from "../../contract/lock.ts";
import type { Plan } from "../../contract/step-report.ts";
import type { HostResults } from "./host-outcome.ts";

/** A host that got through its preparation, and the plan it says it will carry out. */
export interface PlannedHost {
  readonly name: string;
  readonly results: HostResults;
  /** Undefined when its report could not be had. */
  readonly plan: Plan | undefined;
}

/** Whether a host plans something that its policy calls critical. Its short answer tells. */
export function plansCritical(download: StepResult | undefined): boolean {
  return ((download && dataOf(download, "download"))?.critical.length ?? 0) > 0;
}

/**
 * Hosts of which nobody can say what they will change: their plan is not to be had, or is not what their lock was made from. Pure.
 * Nothing of them may be approved.
 */
export function unreadable(hosts: readonly PlannedHost[]): string[] {
  return hosts.filter((host) => !isWhatTheLockSays(host)).map(({ name }) => name);
}

function isWhatTheLockSays({ results: { preflight, download }, plan }: PlannedHost): boolean {
  const host = preflight && dataOf(preflight, "preflight");
  const lock = download && dataOf(download, "download");
  if (host === undefined || lock === undefined || plan === undefined) return false;
  const { release, architecture } = host;
  return lockDigest({ release, architecture, entries: plan.packages, removals: plan.removals }) === lock.lockDigest;
}

/** Every change of a wave once, with how many hosts it is planned on. Pure; sorted by name, architecture, version. */
export function changesOf(hosts: readonly PlannedHost[]): PlannedChange[] {
  const changes = new Map<string, PlannedChange>();
  const add = (one: Omit<PlannedChange, "from" | "hosts">, from: string | null) => {
    const key = [one.name, one.architecture, one.to ?? "", one.sha256 ?? ""].join(" ");
    const known = changes.get(key) ?? { ...one, from: [], hosts: 0 };
    const froms = known.from.includes(from) ? known.from : [...known.from, from].sort();
    changes.set(key, { ...known, critical: known.critical || one.critical, from: froms, hosts: known.hosts + 1 });
  };
  for (const { plan } of hosts) {
    for (const { name, architecture, version, from, sha256, critical, security, cves } of plan?.packages ?? [])
      add({ name, architecture, to: version, sha256, critical, security, cves }, from);
    for (const { name, architecture, version } of plan?.removals ?? [])
      add({ name, architecture, to: null, sha256: null, critical: false, security: false, cves: [] }, version);
  }
  return [...changes.entries()].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, change]) => change);
}

/** What the rehearsals came to. Pure. */
export function rehearsalsOf(hosts: readonly PlannedHost[]): ApprovalRequest["rehearsal"] {
  const told = hosts.map(({ results: { rehearse } }) => rehearse && dataOf(rehearse, "rehearse"));
  const rehearsed = told.filter((one) => one?.possible === true);
  return {
    rehearsed: rehearsed.length,
    notPossible: hosts.length - rehearsed.length,
    tests: rehearsed.reduce((sum, one) => sum + (one?.tests ?? 0), 0),
  };
}
