import type { ReleaseSeen } from "../../contract/release-seen.ts";

/** A Release file this host once took for good. */
export interface AcceptedRelease {
  readonly date: string;
  readonly sha256: string;
  readonly acceptedAt: string;
}

/** By repository; the newest last. */
export type ReleaseRecord = Readonly<Record<string, readonly AcceptedRelease[]>>;

/** Kept of each repository. */
const KEPT = 50;
const HOUR_MS = 3_600_000;

export interface ReleaseFinding {
  readonly code: "metadataStale" | "splitView";
  readonly message: string;
}

/**
 * What speaks against a Release file beside those the host accepted before; null when nothing does. Pure.
 *
 * Several mirrors behind one name are not filled at the same time: one may be behind another by as much as the policy says, always
 * counted from the newest the host ever accepted, so that nobody can lead it back step by step.
 */
export function findingOf(record: ReleaseRecord, seen: ReleaseSeen, mirrorLagHours: number): ReleaseFinding | null {
  const accepted = record[seen.repository] ?? [];
  const twin = accepted.find((one) => one.date === seen.date && one.sha256 !== seen.sha256);
  if (twin !== undefined) {
    const message = `its Release of ${seen.date} has SHA-256 ${seen.sha256}; the one of the same date accepted on ${twin.acceptedAt} had ${twin.sha256}: not everybody is shown the same`;
    return { code: "splitView", message: `${seen.repository}: ${message}` };
  }
  const newest = accepted.at(-1);
  if (newest === undefined) return null;
  const behind = (Date.parse(newest.date) - Date.parse(seen.date)) / HOUR_MS;
  if (behind <= mirrorLagHours) return null;
  const message = `its Release of ${seen.date} is older than the one of ${newest.date} accepted on ${newest.acceptedAt}; mirrors may be ${mirrorLagHours} hours behind each other`;
  return { code: "metadataStale", message: `${seen.repository}: ${message}` };
}

/** The record with these accepted too; what is in it already keeps its time. Pure. */
export function addAccepted(record: ReleaseRecord, seen: readonly ReleaseSeen[], now: Date): ReleaseRecord {
  const after: Record<string, readonly AcceptedRelease[]> = { ...record };
  for (const { repository, date, sha256 } of seen) {
    const before = after[repository] ?? [];
    if (before.some((one) => one.date === date && one.sha256 === sha256)) continue;
    after[repository] = [...before, { date, sha256, acceptedAt: now.toISOString() }]
      .sort((a, b) => Date.parse(a.date) - Date.parse(b.date))
      .slice(-KEPT);
  }
  return after;
}
