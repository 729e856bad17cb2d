import type * as z from "zod";
import { decodeResult } from "../../contract/frame.ts";
import { KEYS } from "../../contract/names.ts";
import type { CommandResults, SentCommand } from "../../contract/run.ts";
import type { Awaited, CommandEnd, ParkedToken } from "../../contract/workflow.ts";
import type { RunCommand } from "../aws/run-command.ts";
import type { RunStore } from "../aws/run-store.ts";
import { hasEnded, type Invocation, type InvokedStep, refusedBy, resultsOf } from "../fleet/invocation.ts";
import { partition } from "../fleet/partition.ts";
import { trialRunsOut } from "../fleet/trial.ts";
import type { Surroundings } from "./define-handler.ts";

/** Leaves the token where the command's event finds it. */
export async function park(
  store: RunStore,
  sent: SentCommand,
  { taskToken, instanceIds, toRollBack }: Awaited & { readonly taskToken: string },
): Promise<void> {
  if (sent.commandId === null) return;
  const { item, command, attempt } = sent;
  const key = KEYS.sentCommand(item.runId, item.wave, item.batch, command, attempt);
  const parked: z.input<typeof ParkedToken> = { taskToken, sent: key, instanceIds, toRollBack };
  await store.write(KEYS.token(sent.commandId), parked);
}

/**
 * Reads what every host answered, never what SSM says of the whole command, and keeps it once all have. Whoever asks again finds the same.
 * @param awaited the hosts whose answers count now: others of the command have gone on before
 * @returns null while a host may still answer and nobody's trial runs out over it
 */
export async function endOf(
  { store, commands }: { readonly store: RunStore; readonly commands: RunCommand },
  sent: SentCommand,
  awaited: Awaited,
  { now, settings }: Surroundings,
): Promise<CommandEnd | null> {
  const { item, command, attempt, commandId, instanceIds, undeliverable, dryRun } = sent;
  const asked = { runId: item.runId, command, attempt, dryRun };
  const listed = commandId === null ? [] : await commands.invocations(commandId);
  const found = await Promise.all(listed.map((one) => whole(commands, commandId ?? "", one)));
  const byId = new Map(found.map((invocation) => [invocation.instanceId, invocation]));
  const deadline = new Date(sent.deadline);

  const results: CommandResults["results"] = [];
  const waiting: string[] = [];
  for (const instanceId of instanceIds) {
    const steps = undeliverable.includes(instanceId)
      ? [refusedBy(instanceId, asked, now, sent.refusals?.[instanceId])]
      : resultsOf(instanceId, byId.get(instanceId), asked, now, deadline);
    if (steps === "pending") waiting.push(instanceId);
    else results.push({ instanceId, steps });
  }
  if (waiting.length > 0 && !trialRunsOut(sent, settings.waitSliceSeconds, now)) return null;
  const replaced = sent.replaced === undefined ? {} : { replaced: sent.replaced };
  const kept: CommandResults = { command, attempt, commandId, results, ...replaced };
  if (waiting.length === 0)
    await store.write(KEYS.commandResults(item.runId, item.wave, item.batch, command, attempt), kept);
  const counting = new Set(awaited.instanceIds);
  const last = results.filter(({ instanceId }) => counting.has(instanceId)).flatMap(({ steps }) => steps.slice(-1));
  const end = partition(last, awaited.toRollBack, waiting);
  return waiting.length > 0 && end.verdict === "nobodyLeft" ? null : end;
}

/** With the longer output that GetCommandInvocation gives, where the listed one holds no readable result. */
async function whole(commands: RunCommand, commandId: string, invocation: Invocation): Promise<Invocation> {
  if (!hasEnded(invocation)) return invocation;
  const steps = await Promise.all(
    Object.entries(invocation.steps).map(async ([name, step]): Promise<[string, InvokedStep]> => {
      if (step.stdout === "" || decodeResult(step.stdout).ok) return [name, step];
      const stdout = await commands.standardOutput(commandId, invocation.instanceId, name);
      return [name, stdout === undefined ? step : { ...step, stdout }];
    }),
  );
  return { ...invocation, steps: Object.fromEntries(steps) };
}
