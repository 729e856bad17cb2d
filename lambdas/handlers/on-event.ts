import * as z from "zod";
import { KEYS } from "../../contract/names.ts";
import { SentCommand } from "../../contract/run.ts";
import { ParkedToken } from "../../contract/workflow.ts";
import { RunCommand } from "../aws/run-command.ts";
import { RunStore } from "../aws/run-store.ts";
import { TaskTokens } from "../aws/task-tokens.ts";
import { defineHandler, logLine, type Surroundings } from "./define-handler.ts";
import { endOf } from "./gather.ts";

/** The part of `EC2 Command Status-change Notification` that counts. */
const CommandEvent = z.object({ detail: z.object({ "command-id": z.string().min(1), status: z.string() }) });
const commands = new RunCommand();
const tokens = new TaskTokens();

/** Tells the batch that waits for a command how it ended. An event that is early, late, doubled or somebody else's changes nothing. */
export const handler = defineHandler(CommandEvent, z.null(), async ({ detail }, surroundings) => {
  const commandId = detail["command-id"];
  logLine({ commandId, status: detail.status, message: await tell(commandId, surroundings) });
  return null;
});

async function tell(commandId: string, surroundings: Surroundings): Promise<string> {
  const store = new RunStore(surroundings.settings.bucket);
  const parked = await store.read(KEYS.token(commandId), ParkedToken);
  if (parked === undefined) return "nobody waits yet";
  const sent = await store.read(parked.sent, SentCommand);
  if (sent === undefined) throw new Error(`command ${commandId}: there is no ${parked.sent}`);
  const end = await endOf({ store, commands }, sent, parked, surroundings);
  if (end === null) return "not every result is there yet";
  return (await tokens.answer(parked.taskToken, end)) ? "told" : "nobody waits any more";
}
