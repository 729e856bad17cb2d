import { readdirSync } from "node:fs";
import { asFailure, Failure } from "../../contract/failures.ts";
import { type Lock, type LockEntry, lockDigest } from "../../contract/lock.ts";
import { HOST_PATHS } from "../../contract/names.ts";
import { marksOf, type ReleaseSeen } from "../../contract/release-seen.ts";
import type { IndexedPackage } from "../host/apt-indexes.ts";
import { holdsValidUntil } from "../host/apt-settings.ts";
import { controlField, debFacts } from "../host/deb-facts.ts";
import { onMachine, ownFolder } from "../host/files.ts";
import type { Machine } from "../host/machine.ts";
import { acceptReleases } from "../security/accepted-releases.ts";
import { type Freshness, stalenessOf } from "../security/release-file.ts";
import { recordViolation } from "../security/violations.ts";
import { verifyArchives } from "./archives.ts";
import { type FirstSeen, otherBytes } from "./first-seen.ts";
import { FIRST_SEEN_PATH, readFirstSeen } from "./first-seen-record.ts";
import { requireFleetLock } from "./kept-fleet-lock.ts";
import { readLock } from "./lock-file.ts";
import { findSigned, type SignedRelease, verifyReleases } from "./releases.ts";
import type { Step } from "./step.ts";

/**
 * Holds the lock, the downloaded files and the repositories' signatures against each other, by itself: what apt believes
 * plays no part. Fails closed; each violation is logged with the marker and kept on the host.
 */
export const verify: Step<"verify"> = async (context) => {
  try {
    return await holdAll(context);
  } catch (error) {
    const failure = asFailure(error);
    recordViolation(context.machine, context.runId, failure);
    throw failure;
  }
};

const holdAll: Step<"verify"> = async (context) => {
  const { machine, policy } = context;
  ownFolder(machine, HOST_PATHS.work);
  const lock = readLock(machine, context.runId, context.dryRun);
  const fleet = await requireFleetLock(context, lock);
  const releases = await context.timed("signatures", () => verifyReleases(machine));
  requireFresh(releases, {
    now: machine.clock.now(),
    maximumAgeDays: policy.maximumMetadataAgeDays,
    holdsValidUntil: await holdsValidUntil(machine),
  });
  const seen = releases.map(seenOf);
  acceptReleases(machine, seen, policy.mirrorLagHours);
  await context.timed("indexes", async () => {
    const found = await findSigned(machine, releases, new Set(lock.entries.map(keyOf)));
    requireIndexed(lock, found, fleet?.lock.entries ?? []);
    requireAsSeen(lock, found, readFirstSeen(machine));
  });
  if (!context.dryRun) await context.timed("archives", () => verifyFiles(machine, lock));
  const counts = { packages: lock.entries.length, releases: releases.length };
  return {
    outcome: { outcome: "succeeded", data: { lockDigest: lockDigest(lock), ...counts, seen: marksOf(seen) } },
    details: { releases: seen },
  };
};

function requireFresh(releases: readonly SignedRelease[], freshness: Freshness): void {
  for (const { file, release } of releases) {
    const stale = stalenessOf(release, freshness);
    if (stale !== null) throw new Failure("metadataStale", `${file}: ${stale}`);
  }
}

/**
 * Every package of the lock stands in a signed index with these very bytes.
 * @param vouched of a signed fleet lock: no index needs to list them any more, but none may list other bytes
 * @throws Failure `hashMismatch`, `outsideLock`; `splitView` where the canaries were given other bytes than this host's repositories list
 */
export function requireIndexed(
  lock: Lock,
  found: ReadonlyMap<string, readonly IndexedPackage[]>,
  vouched: readonly LockEntry[],
): void {
  for (const entry of lock.entries) {
    const offers = found.get(keyOf(entry)) ?? [];
    const isVouched = vouched.some((one) => keyOf(one) === keyOf(entry) && one.sha256 === entry.sha256);
    if (offers.length === 0) {
      if (isVouched) continue;
      throw new Failure(
        "outsideLock",
        `${entry.name} ${entry.version} stands in no signed index of this host's repositories`,
      );
    }
    if (!offers.some((o) => o.sha256 === entry.sha256 && o.size === entry.size)) {
      const offered = offers.map((o) => `${o.sha256} (${o.size} bytes)`).join(", ");
      throw new Failure(
        isVouched ? "splitView" : "hashMismatch",
        `${entry.name} ${entry.version}: the signed index says SHA-256 ${offered}, the ${isVouched ? "fleet's lock" : "lock"} ${entry.sha256} (${entry.size} bytes)`,
      );
    }
  }
}

/**
 * The same version had no other bytes when this host saw it before. Bytes that one of its repositories still offers do not count: two
 * may well build a version of the same name.
 * @throws Failure `splitView`
 */
export function requireAsSeen(
  lock: Lock,
  found: ReadonlyMap<string, readonly IndexedPackage[]>,
  seen: FirstSeen,
): void {
  for (const entry of lock.entries) {
    const offered = (found.get(keyOf(entry)) ?? []).map(({ sha256 }) => sha256);
    const other = otherBytes(seen, entry, [...offered, entry.sha256]);
    if (other === null) continue;
    throw new Failure(
      "splitView",
      `${entry.name} ${entry.version}: its SHA-256 was ${other.sha256} when this host saw it on ${other.at.toISOString()}, now it is ${entry.sha256}. A version never changes its bytes; if its repository was replaced on purpose, remove ${FIRST_SEEN_PATH}`,
    );
  }
}

function seenOf({ repository, suite, release, sha256 }: SignedRelease): ReleaseSeen {
  // One without a date was refused as stale.
  return { repository, suite, date: (release.date ?? new Date(0)).toISOString(), sha256 };
}

async function verifyFiles(machine: Machine, lock: Lock): Promise<void> {
  if (lock.entries.length === 0) return;
  ownFolder(machine, HOST_PATHS.archives);
  const locked = new Set(lock.entries.map((entry) => entry.file));
  for (const name of readdirSync(onMachine(machine, HOST_PATHS.archives))) {
    if (!locked.has(name)) {
      throw new Failure("outsideLock", `${HOST_PATHS.archives}/${name} is not in the lock: who put it there?`);
    }
  }
  await verifyArchives(machine, lock);
  for (const entry of lock.entries) await requireControl(machine, entry);
}

async function requireControl(machine: Machine, entry: LockEntry): Promise<void> {
  const path = `${HOST_PATHS.archives}/${entry.file}`;
  const facts = await debFacts(machine, { path, sha256: entry.sha256 });
  const field = (name: string) => controlField(facts, name);
  const control = { name: field("Package"), architecture: field("Architecture"), version: field("Version") };
  if (keyOf(control) !== keyOf(entry)) {
    throw new Failure("hashMismatch", `${path} says it is ${keyOf(control)}, the lock says ${keyOf(entry)}`);
  }
}

function keyOf(p: { name: string; architecture: string; version: string }): string {
  return `${p.name} ${p.architecture} ${p.version}`;
}
