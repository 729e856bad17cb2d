import type { Host, Snapshot } from "../../contract/run.ts";

/** An instance as SSM describes it. */
export interface ManagedInstance extends Host {
  /** `Linux`, `Windows` or `MacOS`. */
  readonly platformType: string;
}

/** Something that a host must be. */
export interface Criterion {
  readonly ids: ReadonlySet<string>;
  /** What is said of a host that is not. */
  readonly otherwise: string;
}

export interface ChosenHosts {
  readonly hosts: readonly Host[];
  readonly leftOut: Snapshot["leftOut"];
}

/**
 * Which hosts a run goes to. Pure. The order of named ids is kept, so that whoever names them chooses the canary; otherwise hosts go by
 * name.
 * @param found instances that SSM knows: of those named, or all that carry the tags
 * @param criteria what each must be; the first that it is not is its reason
 * @param named ids that the request, its Auto Scaling group or its resource group names; undefined for all that carry the tags
 */
export function chooseTargets(
  found: readonly ManagedInstance[],
  criteria: readonly Criterion[],
  named: readonly string[] | undefined,
): ChosenHosts {
  const known = new Map(found.map((instance) => [instance.instanceId, instance]));
  const ids = named === undefined ? byName(found) : [...new Set(named)];
  const hosts: Host[] = [];
  const leftOut: ChosenHosts["leftOut"] = [];
  for (const instanceId of ids) {
    const instance = known.get(instanceId);
    const reason = whyNot(instance, criteria);
    if (instance !== undefined && reason === null) {
      const { platformType: _, ...host } = instance;
      hosts.push(host);
    } else leftOut.push({ instanceId, name: instance?.name ?? instanceId, reason: reason ?? "" });
  }
  return { hosts, leftOut };
}

function whyNot(instance: ManagedInstance | undefined, criteria: readonly Criterion[]): string | null {
  if (instance === undefined) return "Systems Manager does not know it: is it running, with the SSM agent and a role?";
  const missed = criteria.find(({ ids }) => !ids.has(instance.instanceId));
  if (missed !== undefined) return missed.otherwise;
  if (instance.platformType !== "Linux") return `runs ${instance.platformType}, not Linux`;
  if (!instance.online) return `offline: its SSM agent last answered at ${instance.lastPing}`;
  return null;
}

/** By name, then id: the order in which hosts go when nobody gives one. Pure. */
export function byName(found: readonly ManagedInstance[]): string[] {
  const order = (a: ManagedInstance, b: ManagedInstance) =>
    compare(a.name, b.name) || compare(a.instanceId, b.instanceId);
  return [...found].sort(order).map(({ instanceId }) => instanceId);
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
