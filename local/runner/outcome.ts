import type { HostReport, RunReport } from "../../contract/run.ts";
import type { Difference } from "../../contract/step-report.ts";

/** What the runner itself saw on a host, from outside and without the agent. */
export interface OutsideView {
  /** Every compared thing is as it was before the run. */
  readonly identical: boolean;
  /** Things compared: paths, package lines, marks and holds. */
  readonly compared: number;
  readonly differences: readonly Difference[];
  /** Installed version by `name:architecture`, after the run. */
  readonly installed: ReadonlyMap<string, string>;
}

/** A host of the run as reported, with what was seen from outside beside it. */
export interface SeenHost extends HostReport {
  readonly role: string;
  /** Null for a host that was meant to change. */
  readonly identical: boolean | null;
  readonly comparison: { readonly compared: number; readonly differences: readonly Difference[] };
  /** Empty when everything seen agrees with the report and the story. */
  readonly problems: readonly string[];
}

/** Differences kept per host in the report; a committed upgrade has thousands, and their count says enough. */
const KEPT_DIFFERENCES = 50;

/**
 * Holds a host's report against what was seen from outside. Pure.
 * @param expected how the story goes for this host
 */
export function seeHost(
  report: HostReport,
  seen: OutsideView,
  story: { readonly role: string; readonly expected: HostReport["outcome"] },
): SeenHost {
  const unchanged = report.outcome !== "committed";
  const problems = [
    ...(report.outcome === story.expected ? [] : [`is ${report.outcome}, the story says ${story.expected}`]),
    ...(unchanged && !seen.identical
      ? [`is reported ${report.outcome}, but ${seen.differences.length} things differ from before`]
      : []),
    ...(report.outcome === "committed" ? notAsPlanned(report, seen.installed) : []),
  ];
  return {
    ...report,
    role: story.role,
    identical: unchanged ? seen.identical : null,
    comparison: { compared: seen.compared, differences: seen.differences.slice(0, KEPT_DIFFERENCES) },
    problems,
  };
}

function notAsPlanned(report: HostReport, installed: ReadonlyMap<string, string>): string[] {
  if (report.packages.length === 0) return ["is reported committed, but names no package"];
  return report.packages.flatMap(({ name, architecture, to }) => {
    const actual = installed.get(`${name}:${architecture}`) ?? null;
    return actual === to
      ? []
      : [`${name}:${architecture} is ${actual ?? "not installed"}, the report says ${to ?? "removed"}`];
  });
}

/** Whether the run ended as the story goes: every host as reported and expected, and none missing. */
export function problemsOf(
  run: RunReport,
  hosts: readonly SeenHost[],
  expectedOutcome: RunReport["outcome"],
): string[] {
  return [
    ...(run.outcome === expectedOutcome ? [] : [`the run is ${run.outcome}, the story says ${expectedOutcome}`]),
    ...run.leftOut.map(({ name, reason }) => `${name} was left out: ${reason}`),
    ...hosts.flatMap((host) => host.problems.map((problem) => `${host.name} ${problem}`)),
  ];
}
