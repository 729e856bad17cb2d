import { readdirSync, rmSync } from "node:fs";
import { asFailure, Failure } from "../../contract/failures.ts";
import type { LockEntry } from "../../contract/lock.ts";
import { HOST_PATHS } from "../../contract/names.ts";
import type { Plan } from "../../contract/step-report.ts";
import { fileTime } from "../host/clock.ts";
import { closePartial, fetchDeb, fetchTogether, openPartial, type Wanted } from "../host/fetch-deb.ts";
import { onMachine, ownFolder, writeOwn } from "../host/files.ts";
import { osRelease } from "../host/identity.ts";
import type { Machine } from "../host/machine.ts";
import { recordViolation } from "../security/violations.ts";
import type { AptFacts } from "./apt-facts.ts";
import { archiveProblem } from "./archives.ts";
import { downloadSummary } from "./download-summary.ts";
import { writeLock } from "./lock-file.ts";
import { lockOf } from "./plan.ts";
import { resolvePlan } from "./resolver.ts";
import type { Step, StepContext } from "./step.ts";

/** For everything the step fetches; the SSM agent ends the step itself at 30 minutes. */
const FETCH_DEADLINE_MS = 25 * 60_000;
/** Downloaders at once, each with one connection for its group of files. */
const PARALLEL = 4;

/**
 * Plans, fetches exactly the planned files, and locks the set. A dry run fetches nothing, but writes the same lock, marked
 * so that nothing can be installed by it.
 */
export const download: Step<"download"> = async (context) => {
  const { machine, runId, dryRun } = context;
  const { plan, facts } = await context.timed("plan", () => resolvePlan(machine, context.policy));
  const lock = lockOf(plan, osRelease(machine).release, facts.nativeArchitecture);
  ownFolder(machine, HOST_PATHS.work);
  ownFolder(machine, HOST_PATHS.archives);
  try {
    if (!dryRun) await context.timed("fetch", () => fetchAll(context, lock.entries, facts));
  } catch (error) {
    recordViolation(machine, runId, asFailure(error));
    throw error;
  }
  const lockDigest = writeLock(machine, runId, dryRun, lock);
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
    critical: plan.packages
      .filter((p) => p.critical)
      .map((p) => p.name)
      .slice(0, 10),
  };
  return { outcome: { outcome: "succeeded", data }, details: { plan } };
};

async function fetchAll(context: StepContext, entries: readonly LockEntry[], facts: AptFacts): Promise<void> {
  const { machine } = context;
  const wanted = new Set(entries.map((entry) => entry.file));
  for (const name of readdirSync(onMachine(machine, HOST_PATHS.archives))) {
    if (!wanted.has(name))
      rmSync(onMachine(machine, `${HOST_PATHS.archives}/${name}`), { recursive: true, force: true });
  }
  const uriOf = new Map(facts.uris.map((uri) => [uri.file, uri.uri]));
  const missing: Wanted[] = [];
  for (const entry of entries) {
    const path = `${HOST_PATHS.archives}/${entry.file}`;
    if ((await archiveProblem(machine, entry, path)) === null) continue;
    const uri = uriOf.get(entry.file);
    if (uri === undefined) throw new Failure("downloadFailed", `${entry.name}: no address to fetch it from`);
    missing.push({ uri, entry });
  }
  const until = machine.clock.now().getTime() + FETCH_DEADLINE_MS;
  openPartial(machine);
  try {
    const ends = await Promise.allSettled(inGroups(missing).map((group) => fetchGroup(machine, group, until)));
    const failed = ends.find((end) => end.status === "rejected");
    if (failed !== undefined) throw failed.reason;
  } finally {
    closePartial(machine);
  }
}

/** Files of like size together: the largest of a group is the most that any of its downloads may grow to. */
function inGroups(missing: readonly Wanted[]): Wanted[][] {
  const bySize = [...missing].sort((a, b) => a.entry.size - b.entry.size);
  const length = Math.ceil(bySize.length / PARALLEL);
  return Array.from({ length: PARALLEL }, (_, i) => bySize.slice(i * length, (i + 1) * length)).filter(
    (group) => group.length > 0,
  );
}

async function fetchGroup(machine: Machine, group: readonly Wanted[], until: number): Promise<void> {
  const left = () => until - machine.clock.now().getTime();
  // Half the time at most: what one bad file holds up is then still tried by itself.
  const came = group.length === 1 ? [] : await fetchTogether(machine, group, left() / 2);
  for (const { uri, entry } of group.filter((wanted) => !came.includes(wanted))) {
    await fetchDeb(machine, uri, entry, left());
  }
  for (const { entry } of group) machine.log.info(`fetched ${entry.name} ${entry.version} (${entry.size} bytes)`);
}

function writeSummary(machine: Machine, runId: string, dryRun: boolean, plan: Plan, lockDigest: string): void {
  ownFolder(machine, HOST_PATHS.logs);
  const now = machine.clock.now();
  const text = downloadSummary({ runId, dryRun, plan, lockDigest, at: now });
  writeOwn(machine, `${HOST_PATHS.logs}/download_summary_${fileTime(now)}.txt`, text);
}
