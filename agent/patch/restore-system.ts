import { Failure } from "../../contract/failures.ts";
import { withOtherWay } from "../backup/keep-debs.ts";
import { statusDigest } from "../backup/package-state.ts";
import { isForeign, requireRebuildable } from "../backup/rebuild.ts";
import type { Restored } from "../backup/restore.ts";
import { backupIds, readInstalled, readManifest } from "../backup/store.ts";
import { checkSums } from "../backup/validate.ts";
import type { Machine } from "../host/machine.ts";
import { activeServices } from "../host/services.ts";
import { beginTransaction, enter, readJournal, type Transaction } from "./journal.ts";
import type { StepContext } from "./step.ts";
import { recover, undo } from "./transaction.ts";

const NO_LOCK = "0".repeat(64);

/**
 * Puts the host back to what a backup says. Installs made after that backup are undone first, the newest first, each from its own
 * backup, so that nothing of theirs is left.
 * @param force goes back also when somebody changed packages since
 * @returns what each backup came to, in the order they were put back
 * @throws Failure `backupInvalid` before anything is changed; `transactionOpen` when packages were changed since
 */
export async function restoreSystem(context: StepContext, backupId: string, force: boolean): Promise<Restored[]> {
  const { machine } = context;
  await recover(context);
  const manifest = readManifest(machine, backupId);
  const foreign = isForeign(machine, manifest);
  if (foreign) await requireRebuildable(machine, manifest);
  if (foreign && !force)
    throw new Failure("backupForeign", `${backupId} would make this host another one; --force does it`);
  const chain = foreign ? [backupId] : installedSince(machine, backupId);
  for (const id of chain) checkUsable(machine, id);
  requireKnownState(machine, chain[0] ?? backupId, force);
  const restored: Restored[] = [];
  for (const id of chain) {
    const transaction = await transactionFor(context, id);
    const undone = await undo(context, transaction, `restore of ${backupId} asked for`);
    restored.push(undone.restored);
  }
  return restored;
}

function checkUsable(machine: Machine, id: string): void {
  try {
    checkSums(machine, id);
  } catch (error) {
    throw withOtherWay(machine, id, error);
  }
}

/** The backup and those of later installs that still stand, newest first. */
export function installedSince(machine: Pick<Machine, "root">, backupId: string): string[] {
  const later = backupIds(machine).filter((id) => id > backupId && readInstalled(machine, id) !== null);
  return [...later.reverse(), backupId];
}

export function requireKnownState(machine: Pick<Machine, "root">, newest: string, force: boolean): void {
  const known = readInstalled(machine, newest)?.statusDigest ?? readManifest(machine, newest).statusDigest;
  if (force || statusDigest(machine) === known) return;
  throw new Failure(
    "transactionOpen",
    `packages were changed by somebody else after ${newest}: their records would be lost. --force goes back all the same`,
  );
}

/** The journal's own transaction when this backup belongs to it, else a new one. */
export async function transactionFor(context: StepContext, backupId: string): Promise<Transaction> {
  const { machine } = context;
  const last = readJournal(machine);
  if (last?.backupId === backupId && last.state !== "locked") return last;
  const manifest = readManifest(machine, backupId);
  const begun = beginTransaction(machine, {
    runId: context.runId,
    lockDigest: manifest.lockDigest ?? NO_LOCK,
    services: await activeServices(machine),
    statusBefore: manifest.statusDigest,
  });
  return enter(machine, begun, "backedUp", { backupId });
}
