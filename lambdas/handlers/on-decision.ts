import * as z from "zod";
import { KEYS } from "../../contract/names.ts";
import { ParkedApproval } from "../../contract/workflow.ts";
import { RunStore } from "../aws/run-store.ts";
import { TaskTokens } from "../aws/task-tokens.ts";
import { endOfApproval, requestOf } from "./approval-data.ts";
import { defineHandler, logLine, type Surroundings } from "./define-handler.ts";

/** The part of S3's `Object Created` that counts. */
const ObjectCreated = z.object({ detail: z.object({ object: z.object({ key: z.string() }) }) });
const tokens = new TaskTokens();

/** Tells the run that waits for it that somebody has decided. Best effort: a run also looks for itself. */
export const handler = defineHandler(ObjectCreated, z.null(), async ({ detail: { object } }, surroundings) => {
  logLine({ key: object.key, message: await tell(object.key, surroundings) });
  return null;
});

async function tell(key: string, { settings, now }: Surroundings): Promise<string> {
  const [, runId = "", digest = ""] = /^approvals\/([A-Za-z0-9-]+)\/([0-9a-f]{64})\//.exec(key) ?? [];
  if (digest === "") return "not an approval";
  const store = new RunStore(settings.bucket);
  const parked = await store.read(KEYS.approvalToken(runId, digest), ParkedApproval);
  if (parked === undefined) return "nobody waits for it";
  const end = await endOfApproval(store, await requestOf(store, runId, digest), settings, now);
  if (end === null) return "not decided yet";
  return (await tokens.answer(parked.taskToken, { verdict: end.verdict })) ? end.verdict : "nobody waits any more";
}
