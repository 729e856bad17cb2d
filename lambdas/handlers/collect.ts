import { decodeResult } from "../../contract/frame.ts";
import { KEYS } from "../../contract/names.ts";
import { CollectAnswer, CollectMessage, NO_COMMAND } from "../../contract/workflow.ts";
import { RunCommand } from "../aws/run-command.ts";
import { RunStore } from "../aws/run-store.ts";
import { hasEnded, type Invocation, resultOf, withoutAnswer } from "../fleet/invocation.ts";
import { partition } from "../fleet/partition.ts";
import { defineHandler } from "./define-handler.ts";
import { snapshotOf } from "./run-data.ts";

const commands = new RunCommand();

/** Reads what every host answered, never what SSM says of the whole command. */
export const handler = defineHandler(CollectMessage, CollectAnswer, async (message, { settings, now }) => {
  const { item, step, attempt, commandId, instanceIds, undeliverable, toRollBack } = message;
  const store = new RunStore(settings.bucket);
  const { dryRun } = await snapshotOf(store, item.runId);
  const asked = { runId: item.runId, step, attempt, dryRun };
  const listed = commandId === NO_COMMAND ? [] : await commands.invocations(commandId);
  const invocations = await Promise.all(listed.map((invocation) => whole(commandId, invocation)));
  const byId = new Map(invocations.map((invocation) => [invocation.instanceId, invocation]));

  const results = instanceIds.map((id) =>
    undeliverable.includes(id)
      ? withoutAnswer(
          id,
          asked,
          now,
          "undeliverable",
          "SSM refused the command for this host: it is offline, gone or not enrolled",
        )
      : resultOf(id, byId.get(id), asked, now, new Date(message.deadline)),
  );
  const seen = results.filter((result) => result !== "pending");
  if (seen.length < results.length) return { verdict: "pending" as const, instanceIds, toRollBack };
  const collection = {
    step,
    attempt,
    commandId,
    results: seen.map((result) => ({ instanceId: result.instanceId, result })),
  };
  await store.write(KEYS.stepResults(item.runId, item.wave, item.batch, step, attempt), collection);
  return partition(seen, toRollBack);
});

/** With the longer output that GetCommandInvocation gives, where the listed one holds no readable result. */
async function whole(commandId: string, invocation: Invocation): Promise<Invocation> {
  if (!hasEnded(invocation) || invocation.stdout === "" || decodeResult(invocation.stdout).ok) return invocation;
  const stdout = await commands.standardOutput(commandId, invocation.instanceId);
  return stdout === undefined ? invocation : { ...invocation, stdout };
}
