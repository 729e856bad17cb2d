import { DispatchAnswer, DispatchMessage } from "../../contract/workflow.ts";
import { ManagedInstances } from "../aws/managed-instances.ts";
import { sendToReachable } from "../aws/reachable.ts";
import { RunCommand } from "../aws/run-command.ts";
import { RunStore } from "../aws/run-store.ts";
import { planSending } from "../fleet/sending.ts";
import { defineHandler } from "./define-handler.ts";
import { snapshotOf } from "./run-data.ts";

const commands = new RunCommand();
const instances = new ManagedInstances();

/** Sends one step to the hosts of a batch. */
export const handler = defineHandler(DispatchMessage, DispatchAnswer, async (message, { settings, now }) => {
  const snapshot = await snapshotOf(new RunStore(settings.bucket), message.item.runId);
  const sending = planSending({ ...message, wave: message.item.wave }, snapshot, settings, now);
  const sent = await sendToReachable(commands, instances, sending, message.instanceIds, settings.tag);
  return { ...sent, deadline: sending.deadline.toISOString() };
});
