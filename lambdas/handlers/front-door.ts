import * as z from "zod";
import { type Order, OrderAnswer } from "../../contract/operations.ts";
import { Notices } from "../aws/notices.ts";
import { RunCommand } from "../aws/run-command.ts";
import { answer, orderNotice, readOrder } from "../fleet/order.ts";
import { defineHandler, logLine, type Surroundings } from "./define-handler.ts";

const commands = new RunCommand();
const notices = new Notices();

/** The seed's Lambda: has some hosts do one operation, and answers at once. Whatever may be asked for is a document of our own. */
export const handler = defineHandler(z.unknown(), OrderAnswer, async (event, surroundings) => {
  const read = readOrder(event);
  if ("wrong" in read) return answer(400, read.wrong);
  const { order } = read;
  const { operation, instance_ids: instances } = order;
  try {
    const command_id = await commands.order(order, surroundings.settings);
    return answer(200, { command_id, instances, operation, ...(await tell(order, command_id, surroundings)) });
  } catch (error) {
    const { name, message } = error as Error;
    logLine({ operation, instances, error: name, message });
    return answer(500, { error: { name, message }, instances, operation });
  }
});

/** The command is on its way whether or not somebody hears of it; the answer says so. */
async function tell(order: Order, commandId: string, { settings }: Surroundings): Promise<{ notification?: string }> {
  try {
    await notices.publish(settings.topicArn, orderNotice(order, commandId));
    return {};
  } catch (error) {
    logLine({ commandId, message: "nobody was told", error: (error as Error).message });
    return { notification: `not sent: ${(error as Error).message}` };
  }
}
