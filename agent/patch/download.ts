import { distinctCves } from "../../contract/cve.ts";
import { asFailure } from "../../contract/failures.ts";
import type { LockEntry } from "../../contract/lock.ts";
import { HOST_PATHS } from "../../contract/names.ts";
import type { Plan, PlannedPackage } from "../../contract/step-report.ts";
import { fileTime } from "../host/clock.ts";
import { allDebFacts, forgetOtherDebs } from "../host/deb-facts.ts";
import type { SignedDocument } from "../host/fetch-fleet-lock.ts";
import { ownFolder, writeOwn } from "../host/files.ts";
import { osRelease } from "../host/identity.ts";
import type { Machine } from "../host/machine.ts";
import { recordViolation } from "../security/violations.ts";
import type { AptFacts } from "./apt-facts.ts";
import { archiveProblem } from "./archives.ts";
import { downloadSummary } from "./download-summary.ts";
import { fetchAll } from "./fetch-all.ts";
import { recordCves } from "./fixed-cves.ts";
import { keepFleetLock } from "./kept-fleet-lock.ts";
import { writeLock } from "./lock-file.ts";
import { withCves } from "./package-cves.ts";
import { lockOf } from "./plan.ts";
import { gatherPrevious, recordPrevious } from "./previous.ts";
import { resolvePlan } from "./resolver.ts";
import type { Step, StepContext } from "./step.ts";
import { unprovenKind } from "./unproven-kind.ts";

/**
 * Plans, fetches exactly the planned files, and locks the set. A dry run fetches nothing, but writes the same lock, marked
 * so that nothing can be installed by it.
 */
export const download: Step<"download"> = async (context) => {
  const { machine, runId, dryRun } = context;
  const unproven = unprovenKind(context);
  if (unproven !== null) return { outcome: unproven, details: {} };
  const { plan: resolved, facts, signed } = await context.timed("plan", () => planOf(context));
  const lock = lockOf(resolved, osRelease(machine).release, facts.nativeArchitecture);
  ownFolder(machine, HOST_PATHS.work);
  ownFolder(machine, HOST_PATHS.archives);
  try {
    if (!dryRun) {
      const previous = await context.timed("previous", () => gatherPrevious(context, lock));
      await context.timed("fetch", () => fetchAll(context, lock.entries, facts));
      await context.timed("contents", () => lookInside(machine, lock.entries));
      await context.timed("way back", () => recordPrevious(context, lock, previous));
      if (context.offerDebs === true) await context.timed("offer", () => offer(context, lock.entries));
    }
  } catch (error) {
    recordViolation(machine, runId, asFailure(error));
    throw error;
  }
  const lockDigest = writeLock(machine, runId, dryRun, lock, keepFleetLock(machine, signed));
  const plan = { ...resolved, packages: await context.timed("cves", () => cvesOf(context, resolved.packages)) };
  recordCves(machine, lockDigest, plan.packages);
  writeSummary(machine, runId, dryRun, plan, lockDigest);
  const pending = plan.packages.length + plan.removals.length;
  if (pending === 0) {
    const kept = plan.leftOut.map((l) => `${l.name} (${l.reason})`).join(", ");
    const message = kept === "" ? "no updates are pending" : `no updates are pending but those left out: ${kept}`;
    return { outcome: { outcome: "nothingToDo", message }, details: { plan } };
  }
  const data = {
    lockDigest,
    packages: plan.packages.length,
    removals: plan.removals.length,
    security: plan.packages.filter((p) => p.security).length,
    bytes: plan.downloadBytes,
    cves: distinctCves(plan.packages.filter((p) => p.from !== null))?.length ?? null,
    critical: plan.packages
      .filter((p) => p.critical)
      .map((p) => p.name)
      .slice(0, 10),
  };
  return { outcome: { outcome: "succeeded", data }, details: { plan } };
};

/** A dry run has fetched nothing, but some files may lie there from before. */
async function cvesOf({ machine, dryRun }: StepContext, packages: readonly PlannedPackage[]) {
  const there = (one: PlannedPackage) =>
    !dryRun || archiveProblem(machine, one, `${HOST_PATHS.archives}/${one.file}`) === null;
  return await withCves(machine, packages, there);
}

/** By the fleet lock that the run brought, else what apt resolves to. */
async function planOf(context: StepContext): Promise<Planned> {
  const { machine, policy, fleetLock } = context;
  if (fleetLock === undefined) return { ...(await resolvePlan(machine, policy)), signed: null };
  try {
    return await (await import("./fleet-download.ts")).planFleet(context, await fleetLock());
  } catch (error) {
    recordViolation(machine, context.runId, asFailure(error));
    throw error;
  }
}

/** The fleet can do without; this host's change does not wait for it. */
async function offer({ machine, cloud }: StepContext, entries: readonly LockEntry[]): Promise<void> {
  if (cloud === undefined || entries.length === 0) return;
  await (await import("../host/offer-debs.ts")).offerDebs(machine, cloud, entries);
}

/** Reads every package now: the window is not the time to unpack them for their names. */
async function lookInside(machine: Machine, entries: readonly LockEntry[]): Promise<void> {
  const debs = entries.map(({ file, sha256 }) => ({ path: `${HOST_PATHS.archives}/${file}`, sha256 }));
  await allDebFacts(machine, debs);
  forgetOtherDebs(machine, debs);
}

interface Planned {
  readonly plan: Plan;
  readonly facts: Pick<AptFacts, "nativeArchitecture" | "uris">;
  readonly signed: SignedDocument | null;
}

function writeSummary(machine: Machine, runId: string, dryRun: boolean, plan: Plan, lockDigest: string): void {
  ownFolder(machine, HOST_PATHS.logs);
  const now = machine.clock.now();
  const text = downloadSummary({ runId, dryRun, plan, lockDigest, at: now });
  writeOwn(machine, `${HOST_PATHS.logs}/download_summary_${fileTime(now)}.txt`, text);
}
