import { AwsError, notModelled } from "../../endpoints/aws-error.ts";
import type { AgentHost } from "../document/script.ts";

/**
 * online: takes commands. connectionLost: registered, its agent does not answer now. undeliverable: the service cannot hand the
 * command over at all. stopped: not in a state to be sent anything, SendCommand refuses it by name.
 */
export type NodeState = "online" | "connectionLost" | "undeliverable" | "stopped";

/** A machine that Systems Manager knows. */
export interface ManagedNode {
  readonly instanceId: string;
  readonly host: AgentHost;
  readonly tags: Readonly<Record<string, string>>;
  readonly computerName: string;
  readonly ipAddress: string;
  readonly agentVersion: string;
  state(): NodeState;
  lastPing(): Date;
}

export interface Filter {
  readonly Key: string;
  readonly Values: readonly string[];
}

/** The nodes that match every filter of DescribeInstanceInformation. @throws AwsError InvalidFilterKey */
export function matchingNodes(nodes: readonly ManagedNode[], filters: readonly Filter[]): ManagedNode[] {
  return nodes.filter((node) =>
    filters.every(({ Key, Values }) => property(node, Key).some((v) => Values.includes(v))),
  );
}

/** The nodes that Targets of SendCommand mean, in the order they are known. @throws AwsError for a kind of target that is not known here */
export function targetedNodes(nodes: readonly ManagedNode[], targets: readonly Filter[]): ManagedNode[] {
  const unknown = targets.find(({ Key }) => Key !== "InstanceIds" && Key !== "tag-key" && !Key.startsWith("tag:"));
  if (unknown !== undefined) throw notModelled(`ssm SendCommand with Targets of key ${unknown.Key}`);
  return matchingNodes(nodes, targets);
}

function property(node: ManagedNode, key: string): string[] {
  if (key.startsWith("tag:")) return [node.tags[key.slice("tag:".length)]].filter((value) => value !== undefined);
  switch (key) {
    case "InstanceIds":
      return [node.instanceId];
    case "tag-key":
      return Object.keys(node.tags);
    case "PingStatus":
      return [pingStatus(node)];
    case "PlatformTypes":
      return ["Linux"];
    case "AgentVersion":
      return [node.agentVersion];
    case "ResourceType":
      return ["EC2Instance"];
    default:
      throw new AwsError("InvalidFilterKey", `The specified filter key ${key} is not valid.`);
  }
}

function pingStatus(node: ManagedNode): "Online" | "ConnectionLost" {
  return node.state() === "online" ? "Online" : "ConnectionLost";
}

/** One entry of InstanceInformationList. */
export function instanceInformation(node: ManagedNode): Record<string, unknown> {
  return {
    InstanceId: node.instanceId,
    PingStatus: pingStatus(node),
    LastPingDateTime: node.lastPing(),
    AgentVersion: node.agentVersion,
    IsLatestVersion: false,
    PlatformType: "Linux",
    PlatformName: node.host.platform.name,
    PlatformVersion: node.host.platform.version,
    ResourceType: "EC2Instance",
    IPAddress: node.ipAddress,
    ComputerName: node.computerName,
    SourceId: node.instanceId,
    SourceType: "AWS::EC2::Instance",
  };
}
