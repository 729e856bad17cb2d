import { readdirSync } from "node:fs";
import { asFailure, Failure } from "../../contract/failures.ts";
import { type Lock, type LockEntry, lockDigest } from "../../contract/lock.ts";
import { HOST_PATHS } from "../../contract/names.ts";
import type { IndexedPackage } from "../host/apt-indexes.ts";
import { holdsValidUntil } from "../host/apt-settings.ts";
import { debControl } from "../host/dpkg.ts";
import { onMachine, ownFolder } from "../host/files.ts";
import type { Machine } from "../host/machine.ts";
import { type Freshness, stalenessOf } from "../security/release-file.ts";
import { recordViolation } from "../security/violations.ts";
import { verifyArchives } from "./archives.ts";
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
  const releases = await context.timed("signatures", () => verifyReleases(machine));
  requireFresh(releases, {
    now: machine.clock.now(),
    maximumAgeDays: policy.maximumMetadataAgeDays,
    holdsValidUntil: await holdsValidUntil(machine),
  });
  await context.timed("indexes", async () => {
    const found = await findSigned(machine, releases, new Set(lock.entries.map(keyOf)));
    requireIndexed(lock, found);
  });
  if (!context.dryRun) await context.timed("archives", () => verifyFiles(machine, lock));
  const packages = lock.entries.length;
  return {
    outcome: { outcome: "succeeded", data: { lockDigest: lockDigest(lock), packages, releases: releases.length } },
    details: {},
  };
};

function requireFresh(releases: readonly SignedRelease[], freshness: Freshness): void {
  for (const { file, release } of releases) {
    const stale = stalenessOf(release, freshness);
    if (stale !== null) throw new Failure("metadataStale", `${file}: ${stale}`);
  }
}

/** Every package of the lock stands in a signed index with these very bytes. @throws Failure `hashMismatch`, `outsideLock` */
export function requireIndexed(lock: Lock, found: ReadonlyMap<string, readonly IndexedPackage[]>): void {
  for (const entry of lock.entries) {
    const offers = found.get(keyOf(entry)) ?? [];
    if (offers.length === 0) {
      throw new Failure(
        "outsideLock",
        `${entry.name} ${entry.version} stands in no signed index of this host's repositories`,
      );
    }
    if (!offers.some((o) => o.sha256 === entry.sha256 && o.size === entry.size)) {
      const offered = offers.map((o) => `${o.sha256} (${o.size} bytes)`).join(", ");
      throw new Failure(
        "hashMismatch",
        `${entry.name} ${entry.version}: the signed index says SHA-256 ${offered}, the lock ${entry.sha256} (${entry.size} bytes)`,
      );
    }
  }
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
  const control = await debControl(machine, onMachine(machine, path));
  if (keyOf(control) !== keyOf(entry)) {
    throw new Failure("hashMismatch", `${path} says it is ${keyOf(control)}, the lock says ${keyOf(entry)}`);
  }
}

function keyOf(p: { name: string; architecture: string; version: string }): string {
  return `${p.name} ${p.architecture} ${p.version}`;
}
