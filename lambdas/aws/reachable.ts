import type { TargetTag } from "../../contract/environment.ts";
import { NO_COMMAND } from "../../contract/workflow.ts";
import type { Sending } from "../fleet/sending.ts";
import type { ManagedInstances } from "./managed-instances.ts";
import type { RunCommand } from "./run-command.ts";

/** Errors by which SSM refuses a whole command for a single host: gone since the plan, or without its tag. */
const REFUSED = new Set(["InvalidInstanceId", "AccessDeniedException"]);

/**
 * Sends to all hosts, and when SSM refuses because of some of them, to the rest.
 * @returns the command's id, NO_COMMAND when none is left, and the hosts that were left out
 * @throws the refusal when every host looks reachable: then it means something else
 */
export async function sendToReachable(
  commands: RunCommand,
  instances: ManagedInstances,
  sending: Sending,
  instanceIds: readonly string[],
  tag: TargetTag,
): Promise<{ commandId: string; undeliverable: string[] }> {
  try {
    return { commandId: await commands.send(sending, instanceIds), undeliverable: [] };
  } catch (refusal) {
    if (!(refusal instanceof Error) || !REFUSED.has(refusal.name)) throw refusal;
    const found = await instances.withIds(instanceIds, tag);
    const online = new Set(found.filter((instance) => instance.online).map(({ instanceId }) => instanceId));
    const reachable = instanceIds.filter((id) => online.has(id));
    const undeliverable = instanceIds.filter((id) => !online.has(id));
    if (undeliverable.length === 0) throw refusal;
    if (reachable.length === 0) return { commandId: NO_COMMAND, undeliverable };
    return { commandId: await commands.send(sending, reachable), undeliverable };
  }
}
