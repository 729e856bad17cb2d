import { z } from "zod";
import { operation } from "../protocol/call.ts";
import type { AccessRequest, Service } from "../protocol/request.ts";

/** An Auto Scaling group that exists, with its instances and their Availability Zones. */
export interface ScalingGroup {
  readonly name: string;
  readonly instances: readonly { readonly instanceId: string; readonly zone: string }[];
}

const Instances = z.strictObject({ InstanceIds: z.array(z.string()).max(50) });
const Groups = z.strictObject({ AutoScalingGroupNames: z.array(z.string()).min(1) });

/** Auto Scaling, as far as it is asked who is where: instances that are in no group are not named, as in AWS. */
export class ScalingGroups implements Service {
  readonly name = "autoscaling";
  readonly operations: Service["operations"];

  constructor(groups: readonly ScalingGroup[]) {
    this.operations = {
      DescribeAutoScalingInstances: operation(Instances, ({ InstanceIds }) => ({
        AutoScalingInstances: groups.flatMap(({ name, instances }) =>
          instances
            .filter(({ instanceId }) => InstanceIds.includes(instanceId))
            .map(({ instanceId, zone }) => ({ ...member(instanceId, zone), AutoScalingGroupName: name })),
        ),
      })),
      DescribeAutoScalingGroups: operation(Groups, ({ AutoScalingGroupNames }) => ({
        AutoScalingGroups: groups
          .filter(({ name }) => AutoScalingGroupNames.includes(name))
          .map(({ name, instances }) => ({
            AutoScalingGroupName: name,
            Instances: instances.map(({ instanceId, zone }) => member(instanceId, zone)),
          })),
      })),
    };
  }

  /** IAM knows no resource for its reads. */
  access(name: string): readonly AccessRequest[] {
    return [{ action: `autoscaling:${name}`, resource: "*", context: {} }];
  }
}

function member(instanceId: string, zone: string) {
  return { InstanceId: instanceId, AvailabilityZone: zone, LifecycleState: "InService", HealthStatus: "Healthy" };
}
