import { decodeResult } from "../../contract/frame.ts";
import { KEYS } from "../../contract/names.ts";
import type { CommandResults, SentCommand } from "../../contract/run.ts";
import type { CommandEnd } from "../../contract/workflow.ts";
import type { RunCommand } from "../aws/run-command.ts";
import type { RunStore } from "../aws/run-store.ts";
import { hasEnded, type Invocation, type InvokedStep, refusedBy, resultsOf } from "../fleet/invocation.ts";
import { partition } from "../fleet/partition.ts";

/** Leaves the token where the command's event finds it. */
export async function park(store: RunStore, sent: SentCommand, taskToken: string): Promise<void> {
  if (sent.commandId === null) return;
  const { item, command, attempt } = sent;
  const key = KEYS.sentCommand(item.runId, item.wave, item.batch, command, attempt);
  await store.write(KEYS.token(sent.commandId), { taskToken, sent: key });
}

/**
 * Reads what every host answered, never what SSM says of the whole command, and keeps it. Whoever asks again finds the same.
 * @returns null while a host may still answer
 */
export async function endOf(
  { store, commands }: { readonly store: RunStore; readonly commands: RunCommand },
  sent: SentCommand,
  now: Date,
): Promise<CommandEnd | null> {
  const { item, command, attempt, commandId, instanceIds, undeliverable, dryRun } = sent;
  const asked = { runId: item.runId, command, attempt, dryRun };
  const listed = commandId === null ? [] : await commands.invocations(commandId);
  const found = await Promise.all(listed.map((one) => whole(commands, commandId ?? "", one)));
  const byId = new Map(found.map((invocation) => [invocation.instanceId, invocation]));
  const deadline = new Date(sent.deadline);

  const results: CommandResults["results"] = [];
  for (const instanceId of instanceIds) {
    const steps = undeliverable.includes(instanceId)
      ? [refusedBy(instanceId, asked, now, sent.refusals?.[instanceId])]
      : resultsOf(instanceId, byId.get(instanceId), asked, now, deadline);
    if (steps === "pending") return null;
    results.push({ instanceId, steps });
  }
  const kept: CommandResults = { command, attempt, commandId, results };
  await store.write(KEYS.commandResults(item.runId, item.wave, item.batch, command, attempt), kept);
  const last = results.flatMap(({ steps }) => steps.slice(-1));
  return partition(last, sent.toRollBack);
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
