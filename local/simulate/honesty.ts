import type { HostReport, RunReport } from "../../contract/run.ts";
import type { HostTruth, SimulatedHost } from "./host.ts";

/** The run's report held against what the hosts really are. */
export interface Honesty {
  /** Hosts by what the report says of them. */
  readonly outcomes: Readonly<Record<string, number>>;
  /** Hosts that neither the hosts of the report nor those left out name. */
  readonly missing: readonly string[];
  /** `host: the report says …, it is …`: the report claims an end that the host does not have. */
  readonly untrue: readonly string[];
  /** In doubt although it answered everything that it was asked. */
  readonly needlessDoubt: readonly string[];
  /** Put back though nothing was wrong with them: their trial ended while their batch waited for a neighbour. */
  readonly putBackForOthers: readonly string[];
}

/** What may be said of a host that is so. In doubt is never untrue. */
const FITS: Readonly<Record<HostTruth, ReadonlySet<HostReport["outcome"]>>> = {
  old: new Set(["unchanged", "nothingToDo", "blocked", "planned"]),
  // Still on trial: no claim can be right.
  open: new Set(),
  committed: new Set(["committed"]),
  restored: new Set(["rolledBack", "unchanged"]),
};
/** Faults after which nobody can know. */
const BLINDING: ReadonlySet<string> = new Set(["vanishes", "gone", "garbage", "hangs"]);

/** @param ms when it is looked at, since 1970 */
export function holdAgainst(report: RunReport, hosts: ReadonlyMap<string, SimulatedHost>, ms: number): Honesty {
  const told = new Map(report.hosts.map((host) => [host.instanceId, host]));
  const leftOut = new Set(report.leftOut.map(({ instanceId }) => instanceId));
  const outcomes: Record<string, number> = {};
  const missing: string[] = [];
  const untrue: string[] = [];
  const needlessDoubt: string[] = [];
  const putBackForOthers: string[] = [];
  for (const host of hosts.values()) {
    const said = told.get(host.instanceId);
    if (said === undefined) {
      if (!leftOut.has(host.instanceId)) missing.push(host.instanceId);
      continue;
    }
    outcomes[said.outcome] = (outcomes[said.outcome] ?? 0) + 1;
    const truth = host.truthAt(ms);
    if (truth === "restored" && host.fault === null) putBackForOthers.push(host.instanceId);
    if (said.outcome === "inDoubt") {
      if (!BLINDING.has(host.fault?.kind ?? "")) needlessDoubt.push(host.instanceId);
    } else if (!FITS[truth].has(said.outcome)) {
      untrue.push(`${host.instanceId}: the report says ${said.outcome}, it is ${truth}`);
    }
  }
  return { outcomes, missing, untrue, needlessDoubt, putBackForOthers };
}
