import { ApprovalEnd, ApprovalRequest } from "../../contract/approval.ts";
import { DECISION_KEYS } from "../../contract/decisions.ts";
import type { FleetSettings } from "../../contract/environment.ts";
import { KEYS } from "../../contract/names.ts";
import { Decisions } from "../aws/decisions.ts";
import type { RunStore } from "../aws/run-store.ts";
import { judgeApproval } from "../fleet/approval.ts";
import { gateStop } from "../fleet/gate.ts";

/** What people are asked. @throws Error when they were never asked it */
export async function requestOf(store: RunStore, runId: string, digest: string): Promise<ApprovalRequest> {
  const key = KEYS.approvalRequest(runId, digest);
  const request = await store.read(key, ApprovalRequest);
  if (request === undefined) throw new Error(`run ${runId}: nobody was asked about plan ${digest}: there is no ${key}`);
  return request;
}

/** How every request of a run has ended so far. */
export async function approvalsOf(store: RunStore, runId: string): Promise<ApprovalEnd[]> {
  const keys = (await store.list(KEYS.approvals(runId))).filter((key) => key.endsWith("/end.json"));
  return [...(await store.readAll(keys, ApprovalEnd)).values()];
}

/**
 * Looks for what people have decided, and keeps it once it is decided: who asks again finds the same.
 * @returns null while it may still be approved
 */
export async function endOfApproval(
  store: RunStore,
  request: ApprovalRequest,
  settings: FleetSettings,
  now: Date,
): Promise<ApprovalEnd | null> {
  const { runId, digest, wave, hosts } = request;
  const key = KEYS.approvalEnd(runId, digest);
  const before = await store.read(key, ApprovalEnd);
  if (before !== undefined) return before;
  const decisions = new Decisions(settings.decisionsBucket);
  const [said, stops, freezes] = await Promise.all([
    decisions.under(DECISION_KEYS.approvals(runId, digest)),
    decisions.under(DECISION_KEYS.stops(runId)),
    decisions.under(DECISION_KEYS.freezes(request.fleet)),
  ]);
  const end = judgeApproval({ request, said, stops: [...stops, ...freezes] }, now);
  if (end === null) return null;
  if (!(await store.writeNew(key, end))) return (await store.read(key, ApprovalEnd)) ?? end;
  if (end.verdict !== "approved") {
    const by = end.decisions[0]?.by ?? null;
    const stop = gateStop(wave, "apply", hosts.length, { verdict: "stop", reason: end.reason, by });
    await store.write(KEYS.gateVerdict(runId, wave, "apply"), stop);
  }
  return end;
}
