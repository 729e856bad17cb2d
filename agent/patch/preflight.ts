import { readFileSync } from "node:fs";
import { asFailure, Failure } from "../../contract/failures.ts";
import { HOST_PATHS } from "../../contract/names.ts";
import type { Plan } from "../../contract/step-report.ts";
import { refreshPackageLists } from "../host/apt-update.ts";
import { fileSystemOf } from "../host/disk.ts";
import { dpkgPackages, hasDpkgUpdates, unfinishedPackages } from "../host/dpkg.ts";
import { codeOf, onMachine, ownFolder } from "../host/files.ts";
import { osRelease } from "../host/identity.ts";
import { requireRoot } from "../host/local-machine.ts";
import type { Machine } from "../host/machine.ts";
import { packageLockHolder } from "../host/package-locks.ts";
import { requireNotLockedDown } from "../security/lockdown/record.ts";
import { recordViolation } from "../security/violations.ts";
import { watchedFigures } from "../telemetry/watched-figures.ts";
import type { AptFacts } from "./apt-facts.ts";
import { clockProblem } from "./clock-check.ts";
import { type DiskNeed, diskProblem } from "./disk-needs.ts";
import { OPEN_STATES, ownerAlive, readJournal } from "./journal.ts";
import { newestReleaseDate } from "./release-dates.ts";
import { resolvePlan } from "./resolver.ts";
import type { Step, StepContext } from "./step.ts";
import { recover } from "./transaction.ts";
import { unprovenKind } from "./unproven-kind.ts";

/**
 * Says whether this host can be patched now, and what would be done. Refreshes the package lists; changes nothing else.
 */
export const preflight: Step<"preflight"> = async (context) => {
  const { machine, policy } = context;
  requireRoot();
  requireNotLockedDown(machine);
  try {
    ownFolder(machine, HOST_PATHS.work);
  } catch (error) {
    recordViolation(machine, context.runId, asFailure(error));
    throw error;
  }
  // A change whose agent died is undone first, so that the next run finds the host as it was. A dry run only says so.
  if (!context.dryRun) await context.timed("recover", () => recover(context));
  requireNoOpenTransaction(context);
  requireFreeShare(machine, policy.minimumFreePercent);
  await context.timed("locks", () => waitForLocks(machine, policy.lockWaitSeconds));
  await requireWholePackages(machine);
  await context.timed("update", () => refresh(context));
  const { plan, facts } = await context.timed("plan", () => resolvePlan(machine, policy));
  const problem = diskProblem(diskNeeds(machine, plan, facts), (path) => fileSystemOf(machine, path));
  if (problem !== null) throw problem;
  const pending = plan.packages.length + plan.removals.length;
  // What a fleet lock brings need not be pending here: its versions may have left the lists.
  if (pending === 0 && context.fleetLock === undefined) {
    const figures = await watchedFigures(machine);
    return { outcome: { outcome: "nothingToDo", message: "no updates are pending", figures }, details: { plan } };
  }
  const unproven = unprovenKind(context);
  if (unproven !== null) return { outcome: unproven, details: { plan } };
  const data = {
    release: osRelease(machine).release,
    architecture: facts.nativeArchitecture,
    pending,
    downloadBytes: plan.downloadBytes,
    figures: await watchedFigures(machine),
  };
  return { outcome: { outcome: "succeeded", data }, details: { plan } };
};

function requireNoOpenTransaction(context: StepContext): void {
  const journal = readJournal(context.machine);
  if (journal === null || !OPEN_STATES.has(journal.state)) return;
  const who = ownerAlive(context.machine, journal)
    ? `process ${journal.owner.pid} is at work on it`
    : "nobody is at work on it";
  throw new Failure(
    "transactionOpen",
    `run ${journal.runId} is in state ${journal.state}, and ${who}: commit it or roll it back first`,
  );
}

function requireFreeShare(machine: Machine, minimumFreePercent: number): void {
  const { usedPercent } = fileSystemOf(machine, HOST_PATHS.work);
  const free = 100 - usedPercent;
  if (free >= minimumFreePercent) return;
  throw new Failure(
    "diskTooFull",
    `the file system of ${HOST_PATHS.work} has ${free.toFixed(1)} % free, ${minimumFreePercent} % are asked for`,
  );
}

async function waitForLocks(machine: Machine, seconds: number): Promise<void> {
  const until = machine.clock.now().getTime() + seconds * 1000;
  for (let holder = packageLockHolder(machine); holder !== null; holder = packageLockHolder(machine)) {
    const who = holder.pid === 0 ? "a process in another container" : `${holder.command} (process ${holder.pid})`;
    if (machine.clock.now().getTime() >= until) {
      throw new Failure("packageLockHeld", `${holder.file} is held by ${who}; waited ${seconds} s for it`);
    }
    machine.log.info(`waiting for ${who}, which holds ${holder.file}`);
    await machine.clock.sleep(1_000);
  }
}

async function requireWholePackages(machine: Machine): Promise<void> {
  const unfinished = unfinishedPackages(await dpkgPackages(machine));
  if (unfinished.length > 0) {
    throw new Failure("packagesHalfConfigured", `${unfinished.join("; ")}: dpkg --configure -a finishes them`);
  }
  if (hasDpkgUpdates(machine)) {
    throw new Failure("packagesHalfConfigured", "dpkg was interrupted while writing its database: dpkg --configure -a");
  }
}

async function refresh(context: StepContext): Promise<void> {
  const { machine, runId } = context;
  try {
    const { serverTime } = await refreshPackageLists(machine);
    const newestRelease = newestReleaseDate(machine);
    const problem = clockProblem(machine.clock.now(), { newestRelease, serverTime });
    if (problem !== null) throw new Failure("clockWrong", problem);
  } catch (error) {
    recordViolation(machine, runId, asFailure(error));
    throw error;
  }
}

/** What the plan will put where, generously: installed growth counts twice, since dpkg unpacks beside what it replaces. */
function diskNeeds(machine: Machine, plan: Plan, facts: AptFacts): DiskNeed[] {
  const replaced = plan.packages.filter((p) => p.from !== null);
  const oldKiB = replaced.reduce(
    (sum, p) => sum + (facts.installed.find((i) => i.name === p.name)?.installedSizeKiB ?? 0),
    0,
  );
  const files = replaced.reduce((sum, p) => sum + listedFiles(machine, p.name, p.architecture), 0);
  const largest = Math.max(0, ...plan.packages.map((p) => p.size));
  const kernels = plan.packages.some((p) => p.name.startsWith("linux-image-"));
  return [
    { path: HOST_PATHS.archives, what: "downloads", bytes: plan.downloadBytes + largest, inodes: plan.packages.length },
    { path: HOST_PATHS.backups, what: "backup", bytes: oldKiB * 1024 + 32e6, inodes: 16 },
    {
      path: "/usr",
      what: "installed growth",
      bytes: 2 * Math.max(0, plan.installedBytes) + oldKiB * 1024,
      inodes: files,
    },
    { path: "/var/cache", what: "apt's caches", bytes: 64e6, inodes: 64 },
    ...(kernels ? [{ path: "/boot", what: "kernel and initramfs", bytes: 256e6, inodes: 16 }] : []),
  ];
}

function listedFiles(machine: Machine, name: string, architecture: string): number {
  for (const file of [`${name}.list`, `${name}:${architecture}.list`]) {
    try {
      return readFileSync(onMachine(machine, `/var/lib/dpkg/info/${file}`), "utf8").split("\n").length;
    } catch (error) {
      if (codeOf(error) !== "ENOENT") throw error;
    }
  }
  return 0;
}
