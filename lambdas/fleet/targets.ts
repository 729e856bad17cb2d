import type { TargetTag } from "../../contract/environment.ts";
import type { Host, Snapshot } from "../../contract/run.ts";

/** An instance as SSM describes it. */
export interface ManagedInstance extends Host {
  /** `Linux`, `Windows` or `MacOS`. */
  readonly platformType: string;
}

export interface Targets {
  readonly hosts: readonly Host[];
  readonly leftOut: Snapshot["leftOut"];
}

/**
 * Which hosts a run goes to. Pure. The order of a request's ids is kept, so that whoever names them chooses the canary; otherwise
 * hosts go by name.
 * @param found instances that SSM knows: of those wanted, or all that carry the tag
 * @param enrolled ids of those that carry the tag
 * @param wanted ids that the request names; undefined for all that carry the tag
 */
export function chooseTargets(
  found: readonly ManagedInstance[],
  enrolled: ReadonlySet<string>,
  wanted: readonly string[] | undefined,
  tag: TargetTag,
): Targets {
  const known = new Map(found.map((instance) => [instance.instanceId, instance]));
  const ids = wanted === undefined ? byName(found) : [...new Set(wanted)];
  const hosts: Host[] = [];
  const leftOut: Targets["leftOut"] = [];
  for (const instanceId of ids) {
    const instance = known.get(instanceId);
    const reason = whyNot(instance, enrolled, tag);
    if (instance !== undefined && reason === null) {
      const { platformType: _, ...host } = instance;
      hosts.push(host);
    } else leftOut.push({ instanceId, name: instance?.name ?? instanceId, reason: reason ?? "" });
  }
  return { hosts, leftOut };
}

function whyNot(instance: ManagedInstance | undefined, enrolled: ReadonlySet<string>, tag: TargetTag): string | null {
  if (instance === undefined) return "Systems Manager does not know it: is it running, with the SSM agent and a role?";
  if (!enrolled.has(instance.instanceId)) return `does not carry the tag ${tag.key}=${tag.value}`;
  if (instance.platformType !== "Linux") return `runs ${instance.platformType}, not Linux`;
  if (!instance.online) return `offline: its SSM agent last answered at ${instance.lastPing}`;
  return null;
}

function byName(found: readonly ManagedInstance[]): string[] {
  const order = (a: ManagedInstance, b: ManagedInstance) =>
    compare(a.name, b.name) || compare(a.instanceId, b.instanceId);
  return [...found].sort(order).map(({ instanceId }) => instanceId);
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
