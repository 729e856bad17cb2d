import type { Lock, LockEntry, LockRemoval } from "../../contract/lock.ts";
import type { LeftOut } from "../../contract/step-report.ts";
import type { Simulation } from "./apt-facts.ts";
import { compareVersions } from "./debian-version.ts";

/** An installed package, as far as a fleet lock asks. */
export interface Present {
  readonly name: string;
  readonly architecture: string;
  readonly version: string;
}

/** A fleet lock seen from one host. */
export interface FleetView {
  /** Installed here in an older version: to be brought to the locked one. */
  readonly wanted: readonly LockEntry[];
  /** Not installed here: comes in only where one of `wanted` needs it. */
  readonly absent: readonly LockEntry[];
  /** Why the rest of the lock is not for this host. */
  readonly leftOut: readonly LeftOut[];
}

/**
 * Which packages of a fleet lock concern a host. Pure. What it does not have it does not get, what is newer stays: the lock was proven on
 * hosts of the same kind, not on this one.
 * @param held names on hold, with `:arch` for a foreign one
 */
export function viewOf(lock: Lock, installed: readonly Present[], held: readonly string[]): FleetView {
  const wanted: LockEntry[] = [];
  const absent: LockEntry[] = [];
  const leftOut: LeftOut[] = [];
  for (const entry of lock.entries) {
    const present = presentOf(installed, entry, lock.architecture);
    const leave = (reason: LeftOut["reason"], message: string) =>
      leftOut.push({ name: entry.name, installed: present?.version ?? "", candidate: entry.version, reason, message });
    if (present === undefined) {
      absent.push({ ...entry, from: null });
      continue;
    }
    const order = compareVersions(present.version, entry.version);
    if (order === 0) leave("alreadyInstalled", "this host has the locked version");
    else if (order > 0)
      leave("newerInstalled", `this host has ${present.version}, which the fleet lock does not take back`);
    else if (held.some((name) => name === entry.name || name === `${entry.name}:${entry.architecture}`))
      leave("held", "on hold: apt-mark unhold releases it");
    else wanted.push({ ...entry, from: present.version });
  }
  return { wanted, absent, leftOut };
}

/** A package may turn from one architecture to `all` and back; between two real ones it is another package. */
function presentOf(installed: readonly Present[], entry: LockEntry, native: string): Present | undefined {
  const fits = (one: Present) =>
    one.architecture === entry.architecture ||
    (one.architecture === "all" && entry.architecture === native) ||
    (entry.architecture === "all" && one.architecture === native);
  return installed.find((one) => one.name === entry.name && fits(one));
}

export interface FleetDecision {
  readonly entries: readonly LockEntry[];
  readonly removals: readonly LockRemoval[];
  readonly leftOut: readonly LeftOut[];
  /** What the host would need beyond the fleet lock, or cannot bring about, in words; empty when all is well. */
  readonly problems: readonly string[];
}

/**
 * What the host will do, from what apt says it would do with the fleet lock's packages and nothing else. Pure.
 * @param available what apt could choose from
 */
export function decideFleet(
  lock: Lock,
  view: FleetView,
  available: readonly LockEntry[],
  simulation: Simulation,
): FleetDecision {
  const chosen = (entry: LockEntry) =>
    simulation.installs.some(
      (one) => one.name === entry.name && one.architecture === entry.architecture && one.version === entry.version,
    );
  const entries = available.filter(chosen);
  const removals = simulation.removals.map(({ name, architecture, version }) => ({
    name,
    architecture: architecture ?? lock.architecture,
    version,
  }));
  const mayGo = (one: LockRemoval) =>
    lock.removals.some((r) => r.name === one.name && (r.architecture === one.architecture || r.architecture === "all"));
  const coming = new Set(entries.map((entry) => `${entry.name}:${entry.architecture}`));
  return {
    entries,
    removals,
    leftOut: [
      ...view.leftOut,
      ...view.absent
        .filter((entry) => !coming.has(`${entry.name}:${entry.architecture}`))
        .map(({ name, version }) => ({
          name,
          installed: "",
          candidate: version,
          reason: "notInstalled" as const,
          message: "this host does not have it, and nothing it gets needs it",
        })),
    ],
    problems: [
      ...view.wanted
        .filter((entry) => !chosen(entry))
        .map((entry) => `cannot install ${entry.name} ${entry.version} with the fleet lock's packages alone`),
      ...removals.filter((one) => !mayGo(one)).map((one) => `would remove ${one.name}, which the fleet lock keeps`),
    ],
  };
}

/** What a host's lock has that its fleet lock does not, in words; empty when it is within it. Pure. */
export function beyondFleetLock(host: Lock, fleet: Lock): string[] {
  const keyOf = (e: LockEntry) => `${e.name} ${e.architecture} ${e.version} ${e.sha256} ${e.size}`;
  const entries = new Set(fleet.entries.map(keyOf));
  const removals = new Set(fleet.removals.map(({ name }) => name));
  return [
    ...host.entries.filter((e) => !entries.has(keyOf(e))).map((e) => `installs ${e.name} ${e.version}`),
    ...host.removals.filter(({ name }) => !removals.has(name)).map(({ name }) => `removes ${name}`),
  ];
}
