import type { HostReport, RunReport } from "../../contract/run.ts";
import type { Fingerprint } from "../hosts/fingerprint.ts";
import type { Comparison, Difference } from "../hosts/fingerprint-comparison.ts";

/** What the runner itself saw on a host, from outside and without the agent. */
export interface OutsideView {
  /** With what was there before the run. */
  readonly comparison: Comparison;
  /** Installed version by `name:architecture`, after the run. */
  readonly installed: ReadonlyMap<string, string>;
  /** Files an administrator had edited that are no longer as he left them. */
  readonly lostEdits: readonly string[];
}

/** Installed versions by `name:architecture`, from the lines of `dpkg -l`. */
export function installedVersions(fingerprint: Fingerprint): Map<string, string> {
  const lines = fingerprint.packages["dpkg -l"].map((line) => line.split(/\s+/));
  return new Map(
    lines
      .filter(([status]) => status?.startsWith("ii") || status?.startsWith("hi"))
      .map(([, name = "", version = "", architecture = ""]) => [`${name.split(":")[0]}:${architecture}`, version]),
  );
}

/** A host of the run as reported, with what was seen from outside beside it. */
export interface SeenHost extends HostReport {
  readonly role: string;
  /** Name of its wave in the run that it was part of last. */
  readonly waveName: string;
  /** Null for a host that was meant to change. */
  readonly identical: boolean | null;
  readonly comparison: {
    readonly compared: number;
    /** How many differ, of which `differences` lists the first. */
    readonly different: number;
    readonly differences: readonly Difference[];
    /** Files the same in all but their modification time. */
    readonly otherTimes: number;
  };
  /** Empty when everything seen agrees with the report and the story. */
  readonly problems: readonly string[];
}

/** Differences kept per host in the report; a committed upgrade has thousands, and their count says enough. */
const KEPT_DIFFERENCES = 50;

/** Holds a host's report against what was seen from outside. Pure. */
export function seeHost(
  report: HostReport,
  seen: OutsideView,
  /** What the host is there for, in which wave it went, and how it may end. */
  story: Pick<SeenHost, "role" | "waveName"> & { readonly expected: readonly HostReport["outcome"][] },
): SeenHost {
  const { comparison, installed, lostEdits } = seen;
  const unchanged = report.outcome !== "committed";
  const problems = [
    ...(story.expected.includes(report.outcome)
      ? []
      : [`is ${report.outcome}, the story says ${story.expected.join(" or ")}`]),
    ...(unchanged && !comparison.identical
      ? [`is reported ${report.outcome}, but ${comparison.differences.length} things differ from before`]
      : []),
    ...(unchanged ? [] : notAsPlanned(report, installed)),
    ...lostEdits.map((path) => `has lost its administrator's ${path}`),
  ];
  return {
    ...report,
    role: story.role,
    waveName: story.waveName,
    identical: unchanged ? comparison.identical : null,
    comparison: {
      compared: comparison.compared,
      different: comparison.differences.length,
      differences: comparison.differences.slice(0, KEPT_DIFFERENCES),
      otherTimes: comparison.otherTimes.length,
    },
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
