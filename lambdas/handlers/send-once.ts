import type * as z from "zod";
import { KEYS } from "../../contract/names.ts";
import { DEFAULT_TRIAL_SECONDS } from "../../contract/request.ts";
import { type RunTerms, SentCommand } from "../../contract/run.ts";
import type { DispatchMessage } from "../../contract/workflow.ts";
import type { ManagedInstances } from "../aws/managed-instances.ts";
import { type Reached, sendToReachable } from "../aws/reachable.ts";
import type { RunCommand } from "../aws/run-command.ts";
import type { RunStore } from "../aws/run-store.ts";
import { planSending } from "../fleet/sending.ts";
import { withoutSnapshot } from "../fleet/without-snapshot.ts";
import type { Surroundings } from "./define-handler.ts";
import { fleetLockOf, termsOf } from "./run-data.ts";

interface Outside {
  readonly store: RunStore;
  readonly commands: RunCommand;
  readonly instances: ManagedInstances;
}

/**
 * The command as it was sent, now or before. It is noted before it goes out, so that no host is asked to change anything that the
 * run's report does not know of; where the note cannot be written, nothing is sent. A try whose outcome is open is made again: a host
 * does (run, step, attempt) once.
 * @throws what SSM refuses it with, noted too: then no host has it
 */
export async function sendOnce(
  { store, commands, instances }: Outside,
  message: z.output<typeof DispatchMessage>,
  { settings, now }: Surroundings,
): Promise<{ readonly sent: SentCommand; readonly isNew: boolean }> {
  const { item, command, attempt, instanceIds, toRollBack } = message;
  const key = KEYS.sentCommand(item.runId, item.wave, item.batch, command, attempt);
  const before = await store.read(key, SentCommand);
  if (before !== undefined && before.sending === undefined) return { sent: before, isNew: false };

  const terms = await termsOf(store, item.runId);
  const fleetLock = command === "prepare" ? await fleetLockOf(store, terms, item.wave) : {};
  const sending = planSending({ ...message, wave: item.wave, fleetLock }, terms, settings, now);
  const { dryRun } = terms;
  const times = { sentAt: now.toISOString(), deadline: sending.deadline.toISOString() };
  const nobody = { commandId: null, undeliverable: [] };
  const trial = command === "apply" && !dryRun ? { trialSeconds: trialSecondsOf(terms) } : {};
  const replaced = message.replaced === undefined ? {} : { replaced: message.replaced };
  const about = { ...times, ...trial, ...replaced };
  const note: SentCommand = { item, command, attempt, instanceIds, toRollBack, dryRun, ...about, ...nobody };
  const unsafe = withoutSnapshot(instanceIds, message.snapshots ?? null);
  const asked = instanceIds.filter((id) => !unsafe.includes(id));
  if (asked.length === 0) {
    const nowhere = { ...note, ...refusing(unsafe) };
    await store.write(key, nowhere);
    return { sent: nowhere, isNew: true };
  }
  await store.write(key, { ...note, sending: "underWay" });
  const reached = await sendToReachable(commands, instances, sending, asked, settings.tag);
  if ("refusal" in reached) {
    // What an earlier try left open stays so.
    if (before?.sending !== "underWay") await store.write(key, { ...note, sending: "refused" });
    throw reached.refusal;
  }
  const sent = { ...note, ...refusing(unsafe, reached) };
  await store.write(key, sent);
  return { sent, isNew: true };
}

/** What was sent, with hosts that it was not even tried for. */
function refusing(
  unsafe: readonly string[],
  reached: Reached = { commandId: null, undeliverable: [], refusals: {} },
): Pick<SentCommand, "commandId" | "undeliverable" | "refusals"> {
  return {
    commandId: reached.commandId,
    undeliverable: [...reached.undeliverable, ...unsafe],
    refusals: { ...reached.refusals, ...Object.fromEntries(unsafe.map((id) => [id, "snapshotFailed" as const])) },
  };
}

/** Where the run leaves it to the hosts, what they take unless their configuration says otherwise. */
function trialSecondsOf({ policy }: RunTerms): number {
  return policy.trialSeconds ?? DEFAULT_TRIAL_SECONDS;
}
