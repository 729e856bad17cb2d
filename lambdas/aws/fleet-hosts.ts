import type { TargetTag } from "../../contract/environment.ts";
import type { RunRequest } from "../../contract/run.ts";
import { byName, type ChosenHosts, type Criterion, chooseTargets, type ManagedInstance } from "../fleet/targets.ts";
import type { ManagedInstances } from "./managed-instances.ts";
import type { ResourceGroups } from "./resource-groups.ts";
import type { ScalingGroups } from "./scaling-groups.ts";

/** Who is asked which hosts there are. */
export interface HostSources {
  readonly instances: ManagedInstances;
  readonly scalingGroups: ScalingGroups;
  readonly resourceGroups: ResourceGroups;
}

/**
 * The hosts that a request means, once, with their Availability Zones where Auto Scaling knows them, and the reason of each that is left out.
 * @param tag the fleet's own: who does not carry it is never sent anything
 */
export async function findHosts(
  { instances, scalingGroups, resourceGroups }: HostSources,
  { instanceIds, targets = {} }: Pick<RunRequest, "instanceIds" | "targets">,
  tag: TargetTag,
): Promise<ChosenHosts> {
  const { tags = [], autoScalingGroup, resourceGroup } = targets;
  const groups: { ids: readonly string[]; otherwise: string }[] = [];
  if (autoScalingGroup !== undefined)
    groups.push({
      ids: await scalingGroups.instancesOf(autoScalingGroup),
      otherwise: `is not in the Auto Scaling group ${autoScalingGroup}`,
    });
  if (resourceGroup !== undefined)
    groups.push({
      ids: await resourceGroups.instancesOf(resourceGroup),
      otherwise: `is not in the resource group ${resourceGroup}`,
    });
  const named = instanceIds ?? groups[0]?.ids;
  if (named === undefined) {
    const found = await instances.withTags([tag, ...tags]);
    return withZones(chooseTargets(found, [], undefined), scalingGroups);
  }
  const carrying = async (one: TargetTag): Promise<Criterion> => ({
    ids: idsOf(await instances.withIds(named, one)),
    otherwise: `does not carry the tag ${one.key}=${one.value}`,
  });
  const criteria = [
    ...(await Promise.all([tag, ...tags].map(carrying))),
    ...groups.map(({ ids, otherwise }) => ({ ids: new Set(ids), otherwise })),
  ];
  const found = await instances.withIds(named);
  // Ids that a person named keep their order; a group has none.
  const order = instanceIds ?? [...byName(found), ...named];
  return withZones(chooseTargets(found, criteria, order), scalingGroups);
}

async function withZones({ hosts, leftOut }: ChosenHosts, scalingGroups: ScalingGroups): Promise<ChosenHosts> {
  // One host cannot be spread.
  if (hosts.length < 2) return { hosts, leftOut };
  const zones = await scalingGroups.zonesOf(hosts.map(({ instanceId }) => instanceId));
  return {
    hosts: hosts.map((host) => {
      const zone = zones.get(host.instanceId);
      return zone === undefined ? host : { ...host, zone };
    }),
    leftOut,
  };
}

function idsOf(found: readonly ManagedInstance[]): Set<string> {
  return new Set(found.map(({ instanceId }) => instanceId));
}
