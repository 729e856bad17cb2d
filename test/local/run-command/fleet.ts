import { setTimeout as delay } from "node:timers/promises";
import type { AgentHost } from "../../../local/run-command/document/script.ts";
import type { Clock } from "../../../local/run-command/service/delivery.ts";
import type { CommandEvent } from "../../../local/run-command/service/events.ts";
import type { ManagedNode, NodeState } from "../../../local/run-command/service/nodes.ts";
import { RunCommand, type RunCommandSettings } from "../../../local/run-command/service/run-command.ts";

export const ACCOUNT = "123456789012";
export const REGION = "eu-west-1";
export const START = new Date("2026-11-24T03:00:00.000Z");

/** A clock that runs `factor` times as fast as ours, from START. */
export function fastClock(factor: number): Clock {
  const realStart = Date.now();
  return {
    now: () => new Date(START.getTime() + (Date.now() - realStart) * factor),
    sleep: (ms, signal) => delay(ms / factor, undefined, { signal }),
  };
}

export interface TestNode extends ManagedNode {
  set(state: NodeState): void;
}

/** A node of the fleet; several may stand on one host, each with an identity of its own. */
export function nodeOn(host: AgentHost, number: number, tags: Record<string, string> = {}): TestNode {
  let state: NodeState = "online";
  const instanceId = `i-${String(number).padStart(17, "0")}`;
  return {
    instanceId,
    host: { ...host, identity: { instanceId, region: REGION } },
    tags,
    computerName: `host-${number}`,
    ipAddress: `10.0.0.${number}`,
    agentVersion: "3.3.1142.0",
    state: () => state,
    lastPing: () => START,
    set: (to) => {
      state = to;
    },
  };
}

/** A document whose step runs the commands of its parameter. */
export const SHELL_DOCUMENT = {
  name: "Test-Shell",
  createdAt: START,
  content: JSON.stringify({
    schemaVersion: "2.2",
    parameters: {
      commands: { type: "StringList", minItems: 1 },
      mode: {
        type: "String",
        default: "plain",
        allowedPattern: "^[a-z]+$",
        allowedValues: ["plain", "fancy"],
        maxChars: 6,
      },
    },
    mainSteps: [
      { action: "aws:runShellScript", name: "run", inputs: { runCommand: "{{ commands }}", timeoutSeconds: "60" } },
    ],
  }),
};

export const TWO_STEPS_DOCUMENT = {
  name: "Test-TwoSteps",
  createdAt: START,
  content: JSON.stringify({
    schemaVersion: "2.2",
    mainSteps: [
      { action: "aws:runShellScript", name: "first", inputs: { runCommand: ["echo one; echo oops >&2"] } },
      { action: "aws:runShellScript", name: "second", inputs: { runCommand: ["head -c 3000 /dev/zero | tr '\\0' x"] } },
    ],
  }),
};

/** A Run Command over these nodes that counts its ids and keeps its events. */
export function runCommandOver(
  nodes: readonly ManagedNode[],
  more: Partial<RunCommandSettings> = {},
): { service: RunCommand; events: CommandEvent[]; lines: string[] } {
  const events: CommandEvent[] = [];
  const lines: string[] = [];
  let ids = 0;
  const service = new RunCommand({
    account: ACCOUNT,
    region: REGION,
    documents: [SHELL_DOCUMENT, TWO_STEPS_DOCUMENT],
    nodes: () => nodes,
    clock: fastClock(1),
    newId: () => `00000000-0000-4000-8000-${String(++ids).padStart(12, "0")}`,
    emit: (event) => void events.push(event),
    log: (line) => void lines.push(line),
    ...more,
  });
  return { service, events, lines };
}

/** The command once its status is final. */
export async function ended(service: RunCommand, commandId: string) {
  for (;;) {
    const [command] = service.listCommands({ CommandId: commandId }).Commands;
    if (command !== undefined && !["Pending", "InProgress", "Cancelling"].includes(command.Status)) return command;
    await delay(20);
  }
}

/** So many nodes on one host. */
export function fleetOn(host: AgentHost, size: number): TestNode[] {
  return Array.from({ length: size }, (_, index) => nodeOn(host, index + 1));
}

export const ids = (nodes: readonly TestNode[]) => nodes.map((node) => node.instanceId);

/** A request that runs these commands on these nodes. */
export function shell(nodes: readonly TestNode[], ...commands: string[]) {
  return { DocumentName: "Test-Shell", InstanceIds: ids(nodes), Parameters: { commands } };
}

/** StatusDetails of each invocation. */
export function detailsOf(service: RunCommand, commandId: string): string[] {
  return service.listCommandInvocations({ CommandId: commandId }).CommandInvocations.map((one) => one.StatusDetails);
}
