import { Failure } from "../../contract/failures.ts";
import type { Lock, LockRemoval } from "../../contract/lock.ts";
import type { LeftOut, Plan, PlannedPackage } from "../../contract/step-report.ts";
import type { AptFacts, DownloadUri, PackagePolicy, SimulatedInstall } from "./apt-facts.ts";
import { compareVersions } from "./debian-version.ts";
import type { Restriction } from "./restrict.ts";

/**
 * The exact set of changes apt's resolver arrived at, and every pending update that is not in it with its reason. Pure: the
 * same facts give the same plan, sorted by name and architecture.
 * @param critical package names that want a person's eye
 * @param kept what the policy keeps out; the facts were read with it kept out
 * @throws Failure `resolverFailed` when apt offers a package without saying where its bytes are or what they hash to.
 */
export function makePlan(facts: AptFacts, critical: readonly string[], kept: readonly Restriction[] = []): Plan {
  const uriOf = new Map(facts.uris.map((uri) => [uri.file, uri]));
  const packages = facts.simulation.installs
    .map((install) => plannedPackage(install, uriOf, policyOf(facts, install), critical))
    .sort(byName);
  const removals = facts.simulation.removals
    .map((r) => ({ name: r.name, architecture: architectureOf(facts, r.name, r.architecture), version: r.version }))
    .sort(byName);
  return {
    packages,
    removals,
    leftOut: leftOut(facts, kept),
    downloadBytes: packages.reduce((sum, p) => sum + p.size, 0),
    installedBytes: installedGrowth(facts, packages, removals),
  };
}

/** What of a plan goes into the lock. */
export function lockOf(plan: Plan, release: string, architecture: string): Lock {
  const entries = plan.packages.map(({ name, architecture, version, from, sha256, size, file }) => ({
    name,
    architecture,
    version,
    from,
    sha256,
    size,
    file,
  }));
  return { release, architecture, entries, removals: plan.removals };
}

/** Whether a name is one of the policy's critical packages: itself, or `name-…`. */
export function isCritical(name: string, critical: readonly string[]): boolean {
  return critical.some((word) => name === word || name.startsWith(`${word}-`));
}

/** The file name apt gives a .deb: `_`, `:` and `%` in each part are escaped. */
export function debFileName(name: string, version: string, architecture: string): string {
  const quote = (text: string) => text.replace(/[_:%]/g, (char) => `%${char.charCodeAt(0).toString(16)}`);
  return `${quote(name)}_${quote(version)}_${quote(architecture)}.deb`;
}

function plannedPackage(
  install: SimulatedInstall,
  uriOf: ReadonlyMap<string, DownloadUri>,
  policy: PackagePolicy | undefined,
  critical: readonly string[],
): PlannedPackage {
  const { name, architecture, version, from } = install;
  const file = debFileName(name, version, architecture);
  const uri = uriOf.get(file);
  if (uri === undefined) {
    throw new Failure("resolverFailed", `${name} ${version}: apt would install it but names no place to fetch it from`);
  }
  if (uri.sha256 === null) {
    throw new Failure("resolverFailed", `${name} ${version}: its repository gives no SHA-256 for ${uri.uri}`);
  }
  return {
    name,
    architecture,
    version,
    from,
    sha256: uri.sha256,
    size: uri.size,
    file,
    origin: install.origins.join(", "),
    security: install.origins.some(isSecurityPocket) || skipsSecurity(install, policy),
    critical: isCritical(name, critical),
    // A package that was not there had nothing to fix; of the others only their .debs tell.
    cves: from === null ? [] : null,
    cvesIncomplete: false,
  };
}

/** Debian-Security:12/stable-security, Ubuntu:24.04/noble-security, UbuntuESM:22.04/jammy-infra-security. */
function isSecurityPocket(origin: string): boolean {
  return /-security$/i.test(origin) || /^Debian-Security:/i.test(origin);
}

/** A later version from another pocket also brings the security updates between it and what is installed. */
function skipsSecurity(install: SimulatedInstall, policy: PackagePolicy | undefined): boolean {
  const { from, version } = install;
  if (from === null || policy === undefined) return false;
  return policy.versions.some(
    (v) =>
      compareVersions(v.version, from) > 0 &&
      compareVersions(v.version, version) <= 0 &&
      v.sources.some((source) => /-security(\/|\s|$)/.test(source)),
  );
}

function leftOut(facts: AptFacts, kept: readonly Restriction[]): LeftOut[] {
  const planned = new Set(facts.simulation.installs.map((i) => i.name));
  const removed = new Set(facts.simulation.removals.map((r) => r.name));
  const keptOf = (name: string) => newestOfEach(kept.filter((k) => k.name === name && !removed.has(name)));
  return facts.policies
    .flatMap((policy) => {
      const byPolicy = keptOf(policy.name);
      const moves = planned.has(policy.name) || removed.has(policy.name);
      const byApt = moves ? [] : reasonLeftOut(facts, policy);
      // What the policy keeps out looks pinned to apt: the policy's own reason says more.
      return byPolicy.length > 0 && byApt.every((one) => one.reason === "pinned")
        ? byPolicy.map(({ name, candidate, reason, message }) => ({
            name,
            installed: policy.installed,
            candidate,
            reason,
            message,
          }))
        : byApt;
    })
    .sort((a, b) => compareText(a.name, b.name));
}

/** One line for each package: the newest version that is kept out. */
function newestOfEach(kept: readonly Restriction[]): Restriction[] {
  return [...kept].sort((a, b) => compareVersions(b.candidate, a.candidate)).slice(0, 1);
}

const DEFAULT_PRIORITIES: ReadonlySet<number> = new Set([1, 100, 500, 990]);

function reasonLeftOut(facts: AptFacts, policy: PackagePolicy): LeftOut[] {
  const { name, installed } = policy;
  const say = (candidate: string, reason: LeftOut["reason"], message: string): LeftOut[] => [
    { name, installed, candidate, reason, message },
  ];
  const newer = policy.versions
    .filter((v) => compareVersions(v.version, installed) > 0)
    .sort((a, b) => compareVersions(b.version, a.version));
  const candidate = policy.candidate;
  const phasedAt = (version: string) =>
    facts.details.find((d) => d.name === name && d.version === version)?.phasedPercent ?? 100;
  const phased = (version: string) =>
    say(version, "phased", `its publisher offers it to ${phasedAt(version)} % of machines so far, not to this one`);
  if (candidate === null || compareVersions(candidate, installed) <= 0) {
    // apt 2.1.16 to 2.4.5 phases by priority: what this machine is not to have yet gets 1 and is no candidate.
    const waiting = newer.find((v) => v.priority === 1 && phasedAt(v.version) < 100);
    if (waiting !== undefined) return phased(waiting.version);
    const chosen = policy.versions.find((v) => v.version === candidate);
    const pinnedUp = chosen !== undefined && !DEFAULT_PRIORITIES.has(chosen.priority);
    const pinned = newer.find((v) => !DEFAULT_PRIORITIES.has(v.priority) || (pinnedUp && v.priority >= 500));
    if (pinned === undefined) return [];
    return say(
      pinned.version,
      "pinned",
      `a preference gives ${pinned.version} priority ${pinned.priority}; ${candidate ?? "nothing"} is chosen`,
    );
  }
  if (facts.held.some((held) => held === name || held.startsWith(`${name}:`))) {
    return say(candidate, "held", "on hold: apt-mark unhold releases it");
  }
  if (phasedAt(candidate) < 100) return phased(candidate);
  if (facts.fullSimulation.installs.some((i) => i.name === name)) {
    const names = facts.fullSimulation.removals.map((r) => r.name).join(", ");
    return say(candidate, "needsRemoval", `needs the removal of ${names || "a package"}: full-update does it`);
  }
  return say(candidate, "unresolved", "apt keeps it back: a package it depends on cannot be had, is held or is phased");
}

function installedGrowth(facts: AptFacts, packages: readonly PlannedPackage[], removals: readonly LockRemoval[]) {
  const before = (name: string, architecture: string) =>
    facts.installed.find((p) => p.name === name && (p.architecture === architecture || architecture === "all"))
      ?.installedSizeKiB ??
    facts.installed.find((p) => p.name === name)?.installedSizeKiB ??
    0;
  const after = (p: PlannedPackage) =>
    facts.details.find((d) => d.name === p.name && d.version === p.version && d.architecture === p.architecture)
      ?.installedSizeKiB ?? 0;
  let kib = 0;
  for (const p of packages) kib += after(p) - (p.from === null ? 0 : before(p.name, p.architecture));
  for (const r of removals) kib -= before(r.name, r.architecture);
  return kib * 1024;
}

function policyOf(facts: AptFacts, install: SimulatedInstall): PackagePolicy | undefined {
  return facts.policies.find(
    (p) => p.name === install.name && (p.architecture === null || p.architecture === install.architecture),
  );
}

function architectureOf(facts: AptFacts, name: string, architecture: string | null): string {
  if (architecture !== null) return architecture;
  const candidates = facts.installed.filter((p) => p.name === name);
  const own = candidates.find((p) => p.architecture === facts.nativeArchitecture) ?? candidates[0];
  return own?.architecture ?? facts.nativeArchitecture;
}

function byName(a: { name: string; architecture: string }, b: { name: string; architecture: string }): number {
  return compareText(a.name, b.name) || compareText(a.architecture, b.architecture);
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
