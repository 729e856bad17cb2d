import type { ApprovalRequest } from "../../contract/approval.ts";
import type { FleetSettings } from "../../contract/environment.ts";
import { KEYS } from "../../contract/names.ts";
import type { CommandResults, Snapshot, Wave } from "../../contract/run.ts";
import type { RunStore } from "../aws/run-store.ts";
import { beyondApproved, changesDigest } from "../fleet/approval.ts";
import { askApproval, preparedHosts, whyApproval } from "../fleet/approval-request.ts";
import { reportKeysOf } from "../fleet/run-report.ts";
import { changesOf, unreadable } from "../fleet/wave-plan.ts";
import { approvalsOf, requestOf } from "./approval-data.ts";
import { hostReportsOf } from "./run-data.ts";

/** What stands between a wave's preparation and its change: nothing, a plan to be approved, or a reason to stop. */
export type ApprovalNeed = { readonly approval: string | null } | { readonly stop: string };

/** Whether people must approve what a wave has prepared; if so, what they are asked lies in the bucket afterwards. */
export async function approvalNeed(
  store: RunStore,
  { snapshot, wave, collections }: { snapshot: Snapshot; wave: Wave; collections: readonly CommandResults[] },
  settings: FleetSettings,
  now: Date,
): Promise<ApprovalNeed> {
  const { runId } = snapshot;
  const why = snapshot.dryRun ? null : whyApproval(snapshot, wave, collections, settings);
  if (why === null) return { approval: null };
  const reports = await hostReportsOf(store, reportKeysOf(runId, collections));
  const hosts = preparedHosts(snapshot, wave, collections, reports);
  const dark = unreadable(hosts);
  if (dark.length > 0)
    return {
      stop: `nobody can say what would be approved: no plan that fits its lock from ${dark.slice(0, 5).join(", ")}`,
    };
  const changes = changesOf(hosts);
  const approved = await approvedBefore(store, runId);
  const beyond = beyondApproved(changes, approved);
  if (beyond.length === 0) return { approval: null };
  if (approved.length > 0 && settings.approval.whenPlanGrows === "stop")
    return {
      stop: `${beyond.length} changes go beyond what was approved: ${beyond
        .slice(0, 5)
        .map(({ name, to }) => `${name} ${to ?? "removed"}`)
        .join(", ")}`,
    };
  const digest = changesDigest(changes);
  const request = askApproval({ snapshot, wave, hosts, changes, digest, beyond: beyond.length, why }, settings, now);
  await store.writeNew(KEYS.approvalRequest(runId, digest), request);
  return { approval: digest };
}

async function approvedBefore(store: RunStore, runId: string): Promise<ApprovalRequest[]> {
  const ends = (await approvalsOf(store, runId)).filter(({ verdict }) => verdict === "approved");
  return Promise.all(ends.map(({ digest }) => requestOf(store, runId, digest)));
}
