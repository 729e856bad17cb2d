import { asFailure, Failure } from "../../contract/failures.ts";
import type { FleetLock } from "../../contract/fleet-lock.ts";
import type { LockEntry } from "../../contract/lock.ts";
import { HOST_PATHS } from "../../contract/names.ts";
import type { LeftOut, Plan, PlannedPackage } from "../../contract/step-report.ts";
import { aptRefusal } from "../host/apt-refusal.ts";
import type { Pool } from "../host/deb-pool.ts";
import { dpkgPackages } from "../host/dpkg.ts";
import { requireEnded } from "../host/ended.ts";
import type { SignedDocument } from "../host/fetch-fleet-lock.ts";
import { ownFolder } from "../host/files.ts";
import type { Machine } from "../host/machine.ts";
import { readFleetLock, takeFleetLock } from "../security/fleet-lock.ts";
import type { AptFacts } from "./apt-facts.ts";
import { archiveProblem } from "./archives.ts";
import { closeClosedWorld, openClosedWorld, simulate } from "./closed-world.ts";
import { fetchAll } from "./fetch-all.ts";
import { decideFleet, type FleetDecision, type FleetView, viewOf } from "./fleet-plan.ts";
import { isCritical } from "./plan.ts";
import { findSigned, type OfferedPackage, verifyReleases } from "./releases.ts";
import type { StepContext } from "./step.ts";

export interface FleetPlanned {
  readonly plan: Plan;
  readonly facts: Pick<AptFacts, "nativeArchitecture" | "uris">;
  readonly signed: SignedDocument;
}

/**
 * Plans by a fleet lock and by nothing else: what of it concerns this host, with what that needs of it. All .debs it takes are in the
 * archives when it returns; a dry run fetches none, and so cannot tell what its packages need.
 * @throws Failure `fleetLockRefused`, `outsideLock` when this host would need anything that is not in the fleet lock
 */
export async function planFleet(context: StepContext, signed: SignedDocument): Promise<FleetPlanned> {
  const { machine, fleet, dryRun } = context;
  const opened = await readFleetLock(machine, fleet, signed);
  const { lock } = opened;
  const view = viewOf(lock, await installedPackages(machine), await heldPackages(machine));
  const offers = await context.timed("signatures", () => offersOf(machine, [...view.wanted, ...view.absent]));
  const decision = dryRun
    ? { entries: view.wanted, removals: [], leftOut: view.leftOut, problems: [] }
    : await context.timed("fleet lock", () => decide(context, opened, view, offers));
  if (!dryRun) takeFleetLock(machine, opened);
  const packages = decision.entries.map((entry) => planned(entry, offers.get(entry.sha256), opened, context));
  const plan: Plan = {
    packages: packages.sort(byName),
    removals: [...decision.removals].sort(byName),
    leftOut: [...decision.leftOut].sort(byName),
    downloadBytes: packages.reduce((sum, one) => sum + one.size, 0),
    // The lock says what a package weighs packed; unpacked only its .deb would.
    installedBytes: 0,
  };
  return { plan, facts: { nativeArchitecture: lock.architecture, uris: [] }, signed };
}

/** First with what is installed here alone; what is not, is fetched only when apt cannot do without. */
async function decide(
  context: StepContext,
  { lock }: FleetLock,
  view: FleetView,
  offers: ReadonlyMap<string, OfferedPackage>,
): Promise<FleetDecision> {
  const attempt = async (entries: readonly LockEntry[]) => {
    const available = await fetch(context, entries, view.wanted, offers);
    const world = await openClosedWorld(context.machine, { ...lock, entries: [...available], removals: [] });
    try {
      const simulation = await simulate(context.machine, world.options, ["dist-upgrade"]);
      const decision = decideFleet(lock, view, available, simulation);
      return { decision, why: await explain(context.machine, decision, view, world.options) };
    } finally {
      closeClosedWorld(context.machine);
    }
  };
  if (view.wanted.length === 0) return decideFleet(lock, view, [], { installs: [], removals: [] });
  let { decision, why } = await attempt(view.wanted);
  if (why !== null && view.absent.length > 0) ({ decision, why } = await attempt([...view.wanted, ...view.absent]));
  if (why !== null) throw new Failure("outsideLock", why);
  return decision;
}

/** What this host would need beyond the fleet lock, in apt's words; null when nothing. */
async function explain(
  machine: Machine,
  { entries, problems }: FleetDecision,
  view: FleetView,
  options: readonly string[],
): Promise<string | null> {
  if (problems.length === 0) return null;
  const missing = view.wanted.find((entry) => !entries.includes(entry));
  const said = missing === undefined ? null : await aptRefusal(machine, missing.name, missing.version, options);
  const why = said === null ? "" : `: ${said}`;
  return `this host ${problems.slice(0, 10).join("; ")}${why}. Its canaries were not like it: let them prove a lock for it`;
}

/**
 * From the host's own repositories where a signed index lists these very bytes, else from the fleet's pool.
 * @param wanted cannot be done without; of the rest, what is not to be had is left out
 * @returns those that are in the archives now
 */
async function fetch(
  context: StepContext,
  entries: readonly LockEntry[],
  wanted: readonly LockEntry[],
  offers: ReadonlyMap<string, OfferedPackage>,
): Promise<readonly LockEntry[]> {
  const { machine } = context;
  ownFolder(machine, HOST_PATHS.work);
  ownFolder(machine, HOST_PATHS.archives);
  const uris = entries.flatMap(({ file, sha256, size }) => {
    const offer = offers.get(sha256);
    return offer === undefined ? [] : [{ uri: `${offer.root}${offer.filename}`, file, size, sha256 }];
  });
  const isThere = (e: LockEntry) => archiveProblem(machine, e, `${HOST_PATHS.archives}/${e.file}`) === null;
  const missing = entries.filter((entry) => !isThere(entry));
  await fromPool(
    context,
    missing.filter((entry) => !offers.has(entry.sha256)),
    wanted,
  );
  const available = entries.filter((entry) => offers.has(entry.sha256) || isThere(entry));
  try {
    await fetchAll(context, available, { uris });
  } catch (error) {
    if (asFailure(error).code !== "downloadFailed" || context.cloud === undefined) throw error;
    machine.log.warn(`${asFailure(error).message}; the fleet's pool is asked`);
    await fromPool(
      context,
      available.filter((entry) => !isThere(entry)),
      wanted,
    );
    return available.filter(isThere);
  }
  return available;
}

/** @throws Failure `downloadFailed` for one that is wanted; `hashMismatch` when the pool holds other bytes under the name of these */
async function fromPool(
  { machine, cloud }: StepContext,
  entries: readonly LockEntry[],
  wanted: readonly LockEntry[],
): Promise<void> {
  const { openPool } = await import("../host/deb-pool.ts");
  const pool = cloud === undefined || entries.length === 0 ? null : openPool(cloud);
  try {
    for (const entry of entries) await oneFromPool(machine, pool, entry, wanted.includes(entry));
  } finally {
    pool?.close();
  }
}

async function oneFromPool(machine: Machine, pool: Pool | null, entry: LockEntry, isWanted: boolean): Promise<void> {
  const what = `${entry.name} ${entry.version}`;
  const path = `${HOST_PATHS.archives}/${entry.file}`;
  const problem = pool === null ? "no pool is known (AUTOPATCH_BUCKET)" : await pool.fetch(machine, entry.sha256, path);
  const message = `${what}: no repository of this host offers it any more, and ${problem}`;
  if (problem !== null && isWanted) throw new Failure("downloadFailed", message);
  const wrong = problem === null ? archiveProblem(machine, entry, path) : null;
  if (wrong !== null) throw new Failure("hashMismatch", `${what}: the pool's file ${wrong}`);
  machine.log.info(problem === null ? `${what}: from the fleet's pool, no repository of this host offers it` : message);
}

/** What the host's signed indexes offer of these very bytes, by SHA-256. */
async function offersOf(machine: Machine, entries: readonly LockEntry[]): Promise<Map<string, OfferedPackage>> {
  const wanted = new Set(entries.map((e) => `${e.name} ${e.architecture} ${e.version}`));
  const found = await findSigned(machine, await verifyReleases(machine), wanted);
  return new Map([...found.values()].flat().map((offer) => [offer.sha256, offer]));
}

async function installedPackages(machine: Machine) {
  return (await dpkgPackages(machine)).filter(({ status }) => !/^.[nc]/.test(status));
}

async function heldPackages(machine: Machine): Promise<string[]> {
  const result = requireEnded(await machine.exec("apt-mark", ["showhold"], { deadlineMs: 60_000 }));
  if (result.exitCode !== 0) throw new Failure("resolverFailed", `apt-mark showhold: ${result.stderr.trim()}`);
  return result.stdout.split("\n").filter((name) => name !== "");
}

function planned(
  entry: LockEntry,
  offer: OfferedPackage | undefined,
  { header }: FleetLock,
  { policy }: StepContext,
): PlannedPackage {
  return {
    ...entry,
    origin: `fleet lock of run ${header.runId}`,
    // Known of what a repository still offers; a superseded version has no pocket left to ask.
    security: offer !== undefined && /-security\/?$/.test(offer.repository),
    critical: isCritical(entry.name, policy.critical),
    // Read from the .deb, as of every plan, once it is there.
    cves: entry.from === null ? [] : null,
    cvesIncomplete: false,
  };
}

function byName(a: Pick<LeftOut, "name">, b: Pick<LeftOut, "name">): number {
  return a.name < b.name ? -1 : a.name > b.name ? 1 : 0;
}
