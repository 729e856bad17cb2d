import { createHash } from "node:crypto";
import type { ApprovalEnd, ApprovalRequest, PlannedChange } from "../../contract/approval.ts";
import type { Decision } from "../../contract/decisions.ts";

/** What judges people's words on a plan. */
export interface ApprovalFacts {
  readonly request: ApprovalRequest;
  /** Written for this very digest. */
  readonly said: readonly Decision[];
  /** Orders to stop the run, or freezes of its fleet. */
  readonly stops: readonly Decision[];
}

/**
 * How a request ended, or null while it may still be approved. Pure. Each person counts once, by their last word in time; one rejection is
 * enough. What was written after the expiry counts for nothing.
 */
export function judgeApproval({ request, said, stops }: ApprovalFacts, now: Date): ApprovalEnd | null {
  const { digest, wave, people, expiresAt } = request;
  const inTime = said.filter(({ at, decision }) => decision !== null && new Date(at) <= new Date(expiresAt));
  const end = (verdict: ApprovalEnd["verdict"], reason: string, decisions: readonly Decision[]): ApprovalEnd => ({
    verdict,
    digest,
    wave,
    at: now.toISOString(),
    reason,
    decisions: [...decisions],
  });
  const told = ({ by, reason }: Decision) => `${by}${reason === "" ? "" : ` (${reason})`}`;
  const [stop] = stops;
  if (stop !== undefined) return end("stopped", `stopped by ${told(stop)}`, [stop]);
  const rejected = inTime.find(({ decision }) => decision === "reject");
  if (rejected !== undefined) return end("rejected", `rejected by ${told(rejected)}`, [rejected]);
  const approved = [...new Map(inTime.map((one) => [one.by, one])).values()];
  if (approved.length >= people) return end("approved", `approved by ${approved.map(told).join(" and ")}`, approved);
  if (now < new Date(expiresAt)) return null;
  const so = people === 1 ? "nobody" : `${approved.length} of ${people} people`;
  return end("expired", `${so} approved it until ${expiresAt}`, approved);
}

/**
 * SHA-256 over the changes: what becomes of which package, to the bytes where they are known, whatever hosts it is on. Pure. The same
 * plan has the same digest in any order.
 */
export function changesDigest(changes: readonly PlannedChange[]): string {
  const lines = changes.map((change) => `${keyOf(change)} from ${change.from.map((one) => one ?? "-").join(",")}`);
  return createHash("sha256").update(lines.sort().join("\n")).digest("hex");
}

/** Changes that none of the approved plans holds. Pure. The version that is replaced does not count: only what is to be there. */
export function beyondApproved(
  changes: readonly PlannedChange[],
  approved: readonly Pick<ApprovalRequest, "changes">[],
): PlannedChange[] {
  const known = new Set(approved.flatMap((one) => one.changes.map(keyOf)));
  return changes.filter((change) => !known.has(keyOf(change)));
}

function keyOf({ name, architecture, to, sha256 }: PlannedChange): string {
  return to === null ? `- ${name} ${architecture}` : `+ ${name} ${architecture} ${to} ${sha256 ?? "-"}`;
}
