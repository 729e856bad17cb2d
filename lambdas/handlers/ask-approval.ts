import * as z from "zod";
import { KEYS } from "../../contract/names.ts";
import { AskApprovalMessage } from "../../contract/workflow.ts";
import { Notices } from "../aws/notices.ts";
import { RunStore } from "../aws/run-store.ts";
import { TaskTokens } from "../aws/task-tokens.ts";
import { approvalNotice } from "../fleet/approval-notice.ts";
import { endOfApproval, requestOf } from "./approval-data.ts";
import { defineHandler } from "./define-handler.ts";
import { holdFleet, snapshotOf } from "./run-data.ts";

const notices = new Notices();
const tokens = new TaskTokens();

/**
 * Tells people of a plan and parks the token for what they say. Called again when a slice of the wait is over, it tells nobody a second
 * time and looks for itself: a decision whose event was lost, a stop, or the end of the time to decide.
 */
export const handler = defineHandler(AskApprovalMessage, z.null(), async (message, { settings, now }) => {
  const { runId, digest, taskToken } = message;
  const store = new RunStore(settings.bucket);
  const request = await requestOf(store, runId, digest);
  await holdFleet(store, await snapshotOf(store, runId), settings, now);
  await store.write(KEYS.approvalToken(runId, digest), { taskToken });
  const told = KEYS.approvalTold(runId, digest);
  if ((await store.read(told, z.unknown())) === undefined) {
    const requestKey = KEYS.approvalRequest(runId, digest);
    // Told twice is better than never: the mark comes after the message.
    const messageId = await notices.publish(settings.topicArn, approvalNotice(request, { ...settings, requestKey }));
    await store.write(told, { messageId, at: now.toISOString() });
  }
  const end = await endOfApproval(store, request, settings, now);
  if (end !== null) await tokens.answer(taskToken, { verdict: end.verdict });
  return null;
});
