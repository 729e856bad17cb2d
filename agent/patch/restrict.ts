import type { PatchPolicy } from "../../contract/request.ts";
import type { LeftOut } from "../../contract/step-report.ts";
import type { AptFacts, AvailableVersion } from "./apt-facts.ts";
import { compareVersions } from "./debian-version.ts";
import { type FirstSeen, firstSeenAt } from "./first-seen.ts";

/** The part of the policy that keeps versions out of a plan. */
export type Restricting = Pick<PatchPolicy, "securityOnly" | "allow" | "deny" | "minimumAgeDays">;

/** One version that the policy keeps out, and why. */
export interface Restriction {
  readonly name: string;
  /** Null for the host's own architecture. */
  readonly architecture: string | null;
  /** The version that is kept out. */
  readonly candidate: string;
  readonly reason: Extract<LeftOut["reason"], "denied" | "notAllowed" | "notSecurity" | "tooYoung">;
  readonly message: string;
}

const DAY_MS = 86_400_000;

/** Whether the policy can keep anything out at all. */
export function restricts(policy: Restricting): boolean {
  return policy.securityOnly || policy.allow.length > 0 || policy.deny.length > 0 || policy.minimumAgeDays > 0;
}

/**
 * Every version the policy keeps out: of what is installed all newer ones, of what would newly come in the one apt chose. What
 * follows for the packages that depend on them is apt's to find. Pure.
 */
export function restrictionsOf(facts: AptFacts, policy: Restricting, seen: FirstSeen, now: Date): Restriction[] {
  const found: Restriction[] = [];
  const judge = (name: string, architecture: string | null, version: AvailableVersion, isNew: boolean) => {
    const why =
      denied(name, policy) ??
      (isNew ? null : (notAllowed(name, policy) ?? notSecurity(version, policy))) ??
      tooYoung(facts, name, architecture, version.version, policy, seen, now);
    if (why !== null) found.push({ name, architecture, candidate: version.version, ...why });
  };
  for (const { name, architecture, installed, versions } of facts.policies)
    for (const version of versions)
      if (compareVersions(version.version, installed) > 0) judge(name, architecture, version, false);
  for (const { name, architecture, from, version } of facts.simulation.installs) {
    const own = architecture === "all" || architecture === facts.nativeArchitecture;
    if (from === null) judge(name, own ? null : architecture, { version, priority: 0, sources: [] }, true);
  }
  return found;
}

/** The restrictions as apt preferences: a version of priority -1 is never installed. */
export function restrictingPreferences(restrictions: readonly Restriction[]): string {
  return restrictions
    .map(({ name, architecture, candidate }) => {
      const full = architecture === null ? name : `${name}:${architecture}`;
      return `Package: ${full}\nPin: version ${candidate}\nPin-Priority: -1\n`;
    })
    .join("\n");
}

type Why = Pick<Restriction, "reason" | "message">;

function denied(name: string, { deny }: Restricting): Why | null {
  const pattern = deny.find((one) => matches(name, one));
  return pattern === undefined ? null : { reason: "denied", message: `the policy denies ${pattern}` };
}

function notAllowed(name: string, { allow }: Restricting): Why | null {
  if (allow.length === 0 || allow.some((one) => matches(name, one))) return null;
  return { reason: "notAllowed", message: `the policy allows only ${allow.join(", ")}` };
}

function notSecurity({ sources }: AvailableVersion, { securityOnly }: Restricting): Why | null {
  if (!securityOnly || sources.some(isSecuritySource)) return null;
  return { reason: "notSecurity", message: "no security pocket offers it, and the policy takes security updates only" };
}

/** Whether a source, as apt-cache policy names it, is a security pocket: `http://… bookworm-security/main`. */
export function isSecuritySource(source: string): boolean {
  return /-security(\/|\s|$)/.test(source);
}

/** The same version with several hashes is as young as the youngest of them; one without a hash cannot have been seen. */
function tooYoung(
  facts: AptFacts,
  name: string,
  architecture: string | null,
  version: string,
  { minimumAgeDays }: Restricting,
  seen: FirstSeen,
  now: Date,
): Why | null {
  if (minimumAgeDays === 0) return null;
  const times = facts.details
    .filter((d) => d.name === name && d.version === version)
    .filter((d) => d.architecture === "all" || d.architecture === (architecture ?? facts.nativeArchitecture))
    .flatMap((d) => (d.sha256 === null ? [] : [firstSeenAt(seen, d) ?? now.getTime()]));
  const since = times.length === 0 ? now.getTime() : Math.max(...times);
  if (now.getTime() - since >= minimumAgeDays * DAY_MS) return null;
  const first = new Date(since).toISOString().slice(0, 16);
  const due = new Date(since + minimumAgeDays * DAY_MS).toISOString().slice(0, 16);
  return {
    reason: "tooYoung",
    message: `this host first saw it at ${first}Z; the policy waits ${minimumAgeDays} days, until ${due}Z`,
  };
}

/** A shell glob over a whole package name. */
function matches(name: string, pattern: string): boolean {
  const source = pattern.replace(/[.+]/g, "\\$&").replaceAll("*", ".*").replaceAll("?", ".");
  return new RegExp(`^${source}$`).test(name);
}
