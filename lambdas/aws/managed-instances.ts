import {
  DescribeInstanceInformationCommand,
  type InstanceInformation,
  type InstanceInformationStringFilter,
  SSMClient,
} from "@aws-sdk/client-ssm";
import type { TargetTag } from "../../contract/environment.ts";
import type { ManagedInstance } from "../fleet/targets.ts";

/** Ids in one filter. */
const IDS_AT_ONCE = 50;

/** The hosts that Systems Manager knows. */
export class ManagedInstances {
  readonly #ssm = new SSMClient({});

  /** Every instance that carries all of the tags. */
  withTags(tags: readonly TargetTag[]): Promise<ManagedInstance[]> {
    return this.#describe(tags.map(({ key, value }) => ({ Key: `tag:${key}`, Values: [value] })));
  }

  /** Those of the ids that are known; with a tag, those that also carry it. */
  async withIds(ids: readonly string[], tag?: TargetTag): Promise<ManagedInstance[]> {
    const found: ManagedInstance[] = [];
    for (let start = 0; start < ids.length; start += IDS_AT_ONCE) {
      const some = { Key: "InstanceIds", Values: ids.slice(start, start + IDS_AT_ONCE) };
      found.push(
        ...(await this.#describe([
          some,
          ...(tag === undefined ? [] : [{ Key: `tag:${tag.key}`, Values: [tag.value] }]),
        ])),
      );
    }
    return found;
  }

  async #describe(Filters: InstanceInformationStringFilter[]): Promise<ManagedInstance[]> {
    const found: ManagedInstance[] = [];
    let NextToken: string | undefined;
    do {
      const page = await this.#ssm.send(
        new DescribeInstanceInformationCommand({ Filters, MaxResults: 50, ...(NextToken ? { NextToken } : {}) }),
      );
      found.push(...(page.InstanceInformationList ?? []).map(toInstance));
      NextToken = page.NextToken;
    } while (NextToken);
    return found;
  }
}

function toInstance(info: InstanceInformation): ManagedInstance {
  const instanceId = info.InstanceId ?? "";
  return {
    instanceId,
    name: info.Name || info.ComputerName || instanceId,
    platform: [info.PlatformName, info.PlatformVersion].filter(Boolean).join(" "),
    platformType: info.PlatformType ?? "unknown",
    online: info.PingStatus === "Online",
    lastPing: info.LastPingDateTime?.toISOString() ?? "an unknown time",
  };
}
