import { dataOf } from "../../contract/envelope.ts";
import { hostKind, METRICS } from "../../contract/names.ts";
import type { StepReport } from "../../contract/step-report.ts";
import type { Phase } from "../../contract/steps.ts";
import { byteSplitText, findByteSplits, type HostEntries } from "./byte-splits.ts";
import { entriesOf } from "./canary-locks.ts";
import { firstFailure, type HostResults } from "./host-outcome.ts";
import type { FleetMetric } from "./metrics.ts";
import { findSplitViews, marksByHost, splitViewText } from "./split-views.ts";

/** What a host planned, and what kind of host it is. */
export interface PlannedOnHost extends HostEntries {
  readonly kind: string;
}

export interface SeenForViolations {
  readonly hosts: readonly string[];
  readonly results: ReadonlyMap<string, HostResults>;
  readonly earlier: ReadonlyMap<string, HostResults>;
  readonly names: ReadonlyMap<string, string>;
  /** Plans that are held against each other: those of hosts that planned by themselves. */
  readonly plans: readonly PlannedOnHost[];
}

/**
 * What says, after a phase, that somebody may stand between hosts and their repositories, in words; null when nothing does. Pure. No error
 * budget has room for that: hosts that are shown something else than others, a version that has other bytes on some, a host that found
 * other bytes under a version than were locked or than it saw before.
 */
export function violationOf(seen: SeenForViolations, phase: Phase): string | null {
  if (phase !== "prepare") return null;
  const { results, earlier, names, plans } = seen;
  const [split] = findSplitViews(marksByHost(new Map([...earlier, ...results])));
  if (split !== undefined) return `split view: ${splitViewText(split, names)}`;
  for (const ofKind of Map.groupBy(plans, ({ kind }) => kind).values()) {
    const [bytes] = findByteSplits(ofKind);
    if (bytes !== undefined) return byteSplitText(bytes, names);
  }
  return foundOtherBytes(seen);
}

function foundOtherBytes({ hosts, results, names }: SeenForViolations): string | null {
  const found = hosts.flatMap((id) => {
    const failure = firstFailure(results.get(id) ?? {});
    // A download may be cut or moved under a host; verify looks at what is signed and what is locked.
    const isOther = failure?.code === "splitView" || (failure?.step === "verify" && failure.code === "hashMismatch");
    return failure !== null && isOther ? [`${names.get(id) ?? id}: ${shortHashes(failure.message)}`] : [];
  });
  const [first] = found;
  if (first === undefined) return null;
  return found.length === 1 ? first : `${first} (and ${found.length - 1} more like it)`;
}

/** A verdict's reason is a line for people; the host's own report has them whole. */
function shortHashes(text: string): string {
  return text.replace(/\b([0-9a-f]{16})[0-9a-f]{48}\b/g, "$1…");
}

/** The plans of hosts that told them in their reports. Pure. */
export function plansOf(
  results: ReadonlyMap<string, HostResults>,
  reports: ReadonlyMap<string, StepReport>,
): PlannedOnHost[] {
  return [...results].flatMap(([host, { preflight, download }]) => {
    const kind = preflight && dataOf(preflight, "preflight");
    const plan = reports.get(download?.reportKey ?? "")?.plan;
    return kind === undefined || plan === undefined ? [] : [{ host, kind: hostKind(kind), entries: entriesOf(plan) }];
  });
}

/** One violation more for the fleet: hosts count those that they find themselves, this one was found by comparing them. Pure. */
export function violationMetric(fleet: string): FleetMetric {
  const dimension = { name: METRICS.fleetDimension, value: fleet };
  return { namespace: METRICS.security, name: METRICS.securityViolations, unit: "Count", dimension, values: [1] };
}
