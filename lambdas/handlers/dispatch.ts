import * as z from "zod";
import { DispatchMessage } from "../../contract/workflow.ts";
import { ManagedInstances } from "../aws/managed-instances.ts";
import { RunCommand } from "../aws/run-command.ts";
import { RunStore } from "../aws/run-store.ts";
import { TaskTokens } from "../aws/task-tokens.ts";
import { defineHandler } from "./define-handler.ts";
import { endOf, park } from "./gather.ts";
import { sendOnce } from "./send-once.ts";

const commands = new RunCommand();
const instances = new ManagedInstances();
const tokens = new TaskTokens();

/**
 * Sends a command to the hosts of a batch and parks the token for its end. Called again, when its answer was lost or nobody told the end
 * in time, it sends nothing a second time and looks for itself. The token is parked before the look: an event that comes in between
 * finds it.
 */
export const handler = defineHandler(DispatchMessage, z.null(), async (message, surroundings) => {
  const store = new RunStore(surroundings.settings.bucket);
  const { sent, isNew } = await sendOnce({ store, commands, instances }, message, surroundings);
  await park(store, sent, message);
  // Of a command that is at its beginning, the event is still to come; where it reached nobody, none will.
  if (isNew && sent.commandId !== null) return null;
  const end = await endOf({ store, commands }, sent, message, surroundings);
  if (end !== null) await tokens.answer(message.taskToken, end);
  return null;
});
