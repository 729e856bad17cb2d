import * as z from "zod";
import { KEYS } from "../../contract/names.ts";
import { RunStore } from "../aws/run-store.ts";
import { TaskTokens } from "../aws/task-tokens.ts";
import { defineHandler, logLine } from "./define-handler.ts";

/** The part of `EC2 Command Status-change Notification` that counts. */
const CommandEvent = z.object({ detail: z.object({ "command-id": z.string().min(1), status: z.string() }) });
const Parked = z.object({ taskToken: z.string() });
const tokens = new TaskTokens();

/** Wakes the batch that waits for a command. An event that is early, late, doubled or somebody else's changes nothing. */
export const handler = defineHandler(CommandEvent, z.null(), async ({ detail }, { settings }) => {
  const commandId = detail["command-id"];
  const parked = await new RunStore(settings.bucket).read(KEYS.token(commandId), Parked);
  const woken = parked !== undefined && (await tokens.answer(parked.taskToken));
  const message = parked === undefined ? "nobody waits yet" : woken ? "woken" : "nobody waits any more";
  logLine({ commandId, status: detail.status, message });
  return null;
});
