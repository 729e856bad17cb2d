import type { ApprovalRequest, PlannedChange } from "../../contract/approval.ts";
import type { FleetSettings } from "../../contract/environment.ts";
import type { CommandResults, Snapshot, Wave } from "../../contract/run.ts";
import type { StepReport } from "../../contract/step-report.ts";
import { readyToApply } from "./assess.ts";
import { byHost } from "./host-outcome.ts";
import { type PlannedHost, plansCritical, rehearsalsOf } from "./wave-plan.ts";

/** Why people must approve what a wave has prepared, in words; null where they need not. Pure. */
export function whyApproval(
  snapshot: Snapshot,
  wave: Wave,
  collections: readonly CommandResults[],
  { environment, approval }: Pick<FleetSettings, "environment" | "approval">,
): string | null {
  const ready = preparedHosts(snapshot, wave, collections, new Map());
  if (ready.length === 0) return null;
  if (environment === "prod") return "every change of a prod fleet wants approval";
  const critical = approval.critical && ready.some(({ results }) => plansCritical(results.download));
  return critical ? "critical packages are planned" : null;
}

/** The hosts of a wave that would be changed, each with the plan from its report. Pure. */
export function preparedHosts(
  { hosts }: Snapshot,
  wave: Wave,
  collections: readonly CommandResults[],
  reports: ReadonlyMap<string, StepReport>,
): PlannedHost[] {
  const results = byHost(collections);
  const names = new Map(hosts.map(({ instanceId, name }) => [instanceId, name]));
  return wave.batches.flat().flatMap((id) => {
    const own = results.get(id) ?? {};
    if (!readyToApply(own)) return [];
    return [{ name: names.get(id) ?? id, results: own, plan: reports.get(own.download?.reportKey ?? "")?.plan }];
  });
}

/** What people are asked, whole. Pure. */
export function askApproval(
  asked: {
    readonly snapshot: Snapshot;
    readonly wave: Wave;
    readonly hosts: readonly PlannedHost[];
    readonly changes: PlannedChange[];
    readonly digest: string;
    readonly beyond: number;
    readonly why: string;
  },
  { environment, approval }: Pick<FleetSettings, "environment" | "approval">,
  now: Date,
): ApprovalRequest {
  const { snapshot, wave, hosts, changes, digest, beyond, why } = asked;
  return {
    runId: snapshot.runId,
    fleet: snapshot.fleet,
    environment,
    wave: wave.index,
    waveName: wave.name,
    hosts: hosts.map(({ name }) => name),
    digest,
    changes,
    beyondApproved: beyond,
    rehearsal: rehearsalsOf(hosts),
    reboot: snapshot.policy.reboot ?? "asConfiguredOnHosts",
    why,
    people: approval.people,
    askedAt: now.toISOString(),
    expiresAt: new Date(now.getTime() + approval.expiresMinutes * 60_000).toISOString(),
  };
}
