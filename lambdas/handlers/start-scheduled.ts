import { ScheduledStart, ScheduledStartAnswer } from "../../contract/workflow.ts";
import { Executions } from "../aws/executions.ts";
import { scheduledName } from "../fleet/scheduled-name.ts";
import { defineHandler } from "./define-handler.ts";

const executions = new Executions();

/** Starts the run that a schedule is due for; the same time again starts nothing. */
export const handler = defineHandler(ScheduledStart, ScheduledStartAnswer, async (message) => {
  const name = scheduledName(message.schedule, message.scheduledTime);
  return { name, started: await executions.start(message.stateMachineArn, name, message.request) };
});
