import type { TargetTag } from "../../contract/environment.ts";
import type { SendRefusal } from "../../contract/run.ts";
import type { Sending } from "../fleet/sending.ts";
import type { ManagedInstances } from "./managed-instances.ts";
import type { RunCommand } from "./run-command.ts";

/** Errors by which SSM refuses a whole command for a single host: gone since the plan, or without its tag. */
const REFUSED = new Set(["InvalidInstanceId", "AccessDeniedException"]);

export interface Reached {
  /** Null when no host is left. */
  readonly commandId: string | null;
  readonly undeliverable: string[];
  /** Why, for each of those. */
  readonly refusals: Readonly<Record<string, SendRefusal>>;
}

/**
 * Sends to all hosts, and when SSM refuses because of some of them, to the rest.
 * @returns the refusal when every host looks reachable, or SSM refuses for another reason: the command went to nobody
 * @throws what leaves open whether the command went out
 */
export async function sendToReachable(
  commands: RunCommand,
  instances: ManagedInstances,
  sending: Sending,
  instanceIds: readonly string[],
  tag: TargetTag,
): Promise<Reached | { readonly refusal: Error }> {
  const first = await commands.send(sending, instanceIds);
  if ("commandId" in first) return { ...first, undeliverable: [], refusals: {} };
  if (!REFUSED.has(first.refusal.name)) return first;
  const found = await whyNotReachable(instances, instanceIds, tag).catch((error: Error) => ({ refusal: error }));
  if ("refusal" in found) return found;
  const refusals = Object.fromEntries(found.reasons);
  const undeliverable = [...found.reasons.keys()];
  const reachable = instanceIds.filter((id) => !found.reasons.has(id));
  if (undeliverable.length === 0) return first;
  if (reachable.length === 0) return { commandId: null, undeliverable, refusals };
  const second = await commands.send(sending, reachable);
  return "refusal" in second ? second : { ...second, undeliverable, refusals };
}

/** Of the hosts that no command reaches, why. */
async function whyNotReachable(
  instances: ManagedInstances,
  instanceIds: readonly string[],
  tag: TargetTag,
): Promise<{ reasons: Map<string, SendRefusal> }> {
  const enrolled = new Set((await instances.withIds(instanceIds, tag)).map(({ instanceId }) => instanceId));
  const known = new Map((await instances.withIds(instanceIds)).map((host) => [host.instanceId, host]));
  const reasons = new Map<string, SendRefusal>();
  for (const id of instanceIds) {
    const host = known.get(id);
    if (host === undefined) reasons.set(id, "hostGone");
    else if (!enrolled.has(id)) reasons.set(id, "notEnrolled");
    else if (!host.online) reasons.set(id, "undeliverable");
  }
  return { reasons };
}
