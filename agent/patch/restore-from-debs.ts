import { rmSync } from "node:fs";
import { Failure } from "../../contract/failures.ts";
import type { Lock } from "../../contract/lock.ts";
import { HOST_PATHS } from "../../contract/names.ts";
import type { Difference } from "../../contract/step-report.ts";
import { compareWithBackup } from "../backup/compare.ts";
import { checkedDebs } from "../backup/keep-debs.ts";
import type { Manifest } from "../backup/manifest.ts";
import { type ChangesBack, changesBack, marksBack, toPurge } from "../backup/package-changes.ts";
import { packageState } from "../backup/package-state.ts";
import { packagesOwn } from "../backup/path-set.ts";
import { entriesOfDebs, type KeptDeb, keptOf, PREVIOUS_FILES } from "../backup/previous-debs.ts";
import { isForeign } from "../backup/rebuild.ts";
import type { Restored } from "../backup/restore.ts";
import { PACKAGE_SCOPE } from "../backup/scope.ts";
import { BACKUP_FILES, backupFolder, markUndone } from "../backup/store.ts";
import { checkManifest } from "../backup/validate.ts";
import { copyDeb } from "../host/deb-sources.ts";
import { nativeArchitecture } from "../host/dpkg.ts";
import { requireEnded } from "../host/ended.ts";
import { onMachine, ownFolder } from "../host/files.ts";
import { osRelease } from "../host/identity.ts";
import type { Machine } from "../host/machine.ts";
import { settleServices } from "../host/services.ts";
import { scanTree } from "../host/tree.ts";
import { readTree } from "../host/tree-file.ts";
import { applyLock } from "./apply.ts";
import {
  type ClosedWorld,
  closeClosedWorld,
  deviations,
  environment,
  openClosedWorld,
  simulate,
} from "./closed-world.ts";
import { enter, ownerAlive, readJournal } from "./journal.ts";
import { installedSince, requireKnownState, transactionFor } from "./restore-system.ts";
import type { StepContext } from "./step.ts";

const FOLDER = `${HOST_PATHS.state}/from-debs`;
const DEADLINE_MS = 45 * 60_000;
/** Held packages go back too, and a lower version is what is asked for. */
const BACKWARD = ["--allow-downgrades", "--ignore-hold", "--allow-change-held-packages"];

/**
 * The second way back, for a backup whose file pre-images cannot be used: exactly the previous .debs, in the closed world; what is new
 * since the backup is removed; marks and holds are set as they were. Then everything is compared: files that no package holds, and
 * times, are as the packages left them, and are listed.
 * @throws Failure `backupInvalid`, `previousMissing`, `outsideLock` before anything is changed; `rollbackIncomplete`
 */
export async function restoreFromDebs(context: StepContext, backupId: string, force: boolean): Promise<Restored> {
  const { machine, timed } = context;
  const manifest = checkManifest(machine, backupId);
  if (isForeign(machine, manifest))
    throw new Failure(
      "backupForeign",
      `${backupId}: --from-debs undoes a change of this host, it makes no other one of it`,
    );
  const chain = installedSince(machine, backupId);
  requireIdle(machine);
  if (!isUnfinished(machine, backupId)) requireKnownState(machine, chain[0] ?? backupId, force);
  const changes = await timed("look", async () => collect(machine, chain, manifest));
  try {
    const world = await timed("closed world", () => openWorld(machine, changes));
    const transaction = await transactionFor(context, backupId);
    const since = machine.clock.now();
    const rolling = enter(machine, transaction, "rollingBack", { reason: "by the previous .debs", comparison: null });
    if (changes.debs.length + changes.removals.length > 0) {
      const { failure } = await timed("apply", () => applyLock(context, world, DEADLINE_MS));
      if (failure !== null) throw new Failure("rollbackIncomplete", `by the previous .debs: ${failure.message}`);
    }
    await timed("marks", () => settleState(machine, manifest));
    const services = await settleServices(machine, { active: transaction.services, since, rebooted: false });
    if (services.length > 0) machine.log.info(`restarted ${services.join(", ")}`);
    const restored = await timed("compare", () => compare(machine, manifest, changes));
    for (const id of chain) markUndone(machine, id);
    const { identical, differences } = restored;
    const comparison = { identical, differences: differences.length, restored: restored.restored };
    enter(machine, rolling, "rolledBack", { comparison });
    return restored;
  } finally {
    closeClosedWorld(machine);
    rmSync(onMachine(machine, FOLDER), { recursive: true, force: true });
  }
}

/** @throws Failure `transactionOpen` while another process is changing the host */
function requireIdle(machine: Machine): void {
  const open = readJournal(machine);
  const busy = open !== null && (open.state === "applying" || open.state === "rollingBack");
  if (!busy || open.owner.pid === process.pid || !ownerAlive(machine, open)) return;
  throw new Failure(
    "transactionOpen",
    `run ${open.runId} is being changed by process ${open.owner.pid} (${open.state})`,
  );
}

/** A change of our own that neither ended nor was undone: nobody else's records are in the way. */
function isUnfinished(machine: Machine, backupId: string): boolean {
  const open = readJournal(machine);
  return open?.backupId === backupId && (open.state === "applying" || open.state === "rollingBack");
}

/** Every .deb that is needed, from this backup and those of later installs, in one folder. */
async function collect(machine: Machine, chain: readonly string[], manifest: Manifest): Promise<ChangesBack> {
  const debs: { readonly deb: KeptDeb; readonly folder: string }[] = [];
  for (const id of [...chain].reverse()) {
    const index = checkedDebs(machine, backupFolder(id));
    const folder = `${backupFolder(id)}/${PREVIOUS_FILES.folder}`;
    if (index !== null) debs.push(...keptOf(index).map((deb) => ({ deb, folder })));
  }
  const changes = changesBack(
    manifest.state,
    await packageState(machine),
    debs.map(({ deb }) => deb),
  );
  if (changes.lacking.length > 0)
    throw new Failure("previousMissing", `${manifest.id} has no .deb of ${changes.lacking.slice(0, 20).join(", ")}`);
  rmSync(onMachine(machine, FOLDER), { recursive: true, force: true });
  ownFolder(machine, FOLDER, 0o700);
  for (const { deb, folder } of debs)
    if (changes.debs.includes(deb)) copyDeb(machine, `${folder}/${deb.file}`, `${FOLDER}/${deb.file}`);
  return changes;
}

/** @throws Failure `outsideLock` when apt would do anything else */
async function openWorld(machine: Machine, changes: ChangesBack): Promise<ClosedWorld> {
  const native = await nativeArchitecture(machine);
  const lock: Lock = {
    release: osRelease(machine).release,
    architecture: native,
    entries: entriesOfDebs(changes.debs),
    removals: [...changes.removals],
  };
  const world = await openClosedWorld(machine, lock, FOLDER);
  const command = [...world.command, ...BACKWARD, ...changes.again];
  const found = deviations(world.pooled, await simulate(machine, world.options, command), native);
  if (found.length > 0) throw new Failure("outsideLock", `apt ${found.slice(0, 10).join("; ")}. Nothing was changed`);
  return { ...world, command };
}

/** What packages that were new have left behind, then marks and holds: apt has set some for what it was told by name. */
async function settleState(machine: Machine, { state }: Manifest): Promise<void> {
  const names = toPurge(state, await packageState(machine));
  if (names.length > 0) await must(machine, "dpkg", ["--purge", ...names]);
  for (const call of marksBack(state, await packageState(machine))) await must(machine, "apt-mark", call);
}

async function must(machine: Machine, file: string, args: readonly string[]): Promise<void> {
  const result = requireEnded(await machine.exec(file, args, { deadlineMs: 600_000, env: environment() }));
  if (result.exitCode !== 0) throw new Failure("rollbackIncomplete", `${file} ${args[0]}: ${result.stderr.trim()}`);
}

async function compare(machine: Machine, manifest: Manifest, changes: ChangesBack): Promise<Restored> {
  // Nothing is taken as read: what dpkg wrote again has new inodes anyway.
  const nothing = { paths: new Map(), skipped: [] };
  const differences: Difference[] = await compareWithBackup(machine, manifest, nothing, new Set());
  differences.push(...(await unexpected(machine, manifest)));
  return {
    backupId: manifest.id,
    identical: differences.length === 0,
    differences,
    keptEdits: [],
    restored: changes.debs.length + changes.removals.length,
    notCovered: manifest.notCovered.map(({ path, why }) => `${path}: ${why}`),
  };
}

/** What is new since the backup where only packages write; as far as the backup's own look at the host can still be read. */
async function unexpected(machine: Machine, manifest: Manifest): Promise<Difference[]> {
  const scan = onMachine(machine, `${backupFolder(manifest.id)}/${BACKUP_FILES.before}`);
  const before = await readTree(scan).catch(() => null);
  const state = new Set(manifest.stateFolders);
  const now = (await scanTree(machine, PACKAGE_SCOPE)).paths;
  const isNew =
    before === null
      ? manifest.absent.filter((path) => now.has(path))
      : [...now.keys()].filter((path) => !before.paths.has(path) && packagesOwn(path, state));
  return isNew.map((path) => ({ path, what: "unexpected", before: null, after: now.get(path)?.type ?? null }));
}
