import * as z from "zod";
import { KEYS } from "../../contract/names.ts";
import { AwaitMessage, NO_COMMAND } from "../../contract/workflow.ts";
import { RunCommand } from "../aws/run-command.ts";
import { RunStore } from "../aws/run-store.ts";
import { TaskTokens } from "../aws/task-tokens.ts";
import { hasEnded } from "../fleet/invocation.ts";
import { defineHandler, logLine } from "./define-handler.ts";

const commands = new RunCommand();
const tokens = new TaskTokens();

/**
 * Parks the token where the command's event finds it, then looks once: an event that came before the token was parked found nothing, and
 * no other comes.
 */
export const handler = defineHandler(AwaitMessage, z.null(), async ({ commandId, taskToken }, { settings }) => {
  if (commandId !== NO_COMMAND) {
    await new RunStore(settings.bucket).write(KEYS.token(commandId), { taskToken });
    const invocations = await commands.invocations(commandId);
    if (invocations.length === 0 || !invocations.every(hasEnded)) return null;
  }
  const answered = await tokens.answer(taskToken);
  logLine({ commandId, message: "the command had ended already", answered });
  return null;
});
