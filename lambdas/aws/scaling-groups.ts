import {
  AutoScalingClient,
  DescribeAutoScalingGroupsCommand,
  DescribeAutoScalingInstancesCommand,
} from "@aws-sdk/client-auto-scaling";

/** Ids in one call. */
const IDS_AT_ONCE = 50;

/** Auto Scaling. */
export class ScalingGroups {
  readonly #scaling = new AutoScalingClient({});

  /** Ids of a group's instances, whatever their state. @throws Error when there is no such group */
  async instancesOf(name: string): Promise<string[]> {
    const page = await this.#scaling.send(new DescribeAutoScalingGroupsCommand({ AutoScalingGroupNames: [name] }));
    const [group] = page.AutoScalingGroups ?? [];
    if (group === undefined)
      throw new Error(
        `Auto Scaling group ${name}: there is none of that name in this Region: see targets of the request`,
      );
    return (group.Instances ?? []).flatMap(({ InstanceId }) => (InstanceId === undefined ? [] : [InstanceId]));
  }

  /** Availability Zone by instance id, of those that are in a group. */
  async zonesOf(ids: readonly string[]): Promise<Map<string, string>> {
    const zones = new Map<string, string>();
    for (let start = 0; start < ids.length; start += IDS_AT_ONCE) {
      const InstanceIds = ids.slice(start, start + IDS_AT_ONCE);
      const page = await this.#scaling.send(new DescribeAutoScalingInstancesCommand({ InstanceIds }));
      for (const { InstanceId, AvailabilityZone } of page.AutoScalingInstances ?? []) {
        if (InstanceId !== undefined && AvailabilityZone !== undefined) zones.set(InstanceId, AvailabilityZone);
      }
    }
    return zones;
  }
}
