import { setTimeout as delay } from "node:timers/promises";
import { encodeResult } from "../../contract/frame.ts";
import { REQUEST_PARAMETER } from "../../contract/names.ts";
import { decodeRequest } from "../../contract/request.ts";
import type { StepName } from "../../contract/steps.ts";
import { type Said, said } from "./results.ts";
import { type Wire, WireError } from "./wire.ts";

/** How a host behaves: by step what it says, `silent` for no answer ever, `gone` when it cannot be reached any more. */
export interface FakeHost {
  readonly instanceId: string;
  readonly name: string;
  readonly says?: Partial<Record<StepName, Said | "silent" | "gone">>;
  readonly online?: boolean;
}

interface Command {
  readonly id: string;
  readonly step: StepName;
  readonly invocations: readonly Record<string, unknown>[];
  ended: boolean;
}

/** Run Command with hosts that say what a test tells them to, each answer in the frame and shape of the real one. */
export class FakeHosts {
  readonly sent: Command[] = [];
  readonly #hosts: readonly FakeHost[];
  readonly #endings: Promise<void>[] = [];

  /**
   * @param lastsMs how long every step takes
   * @param ended told once all hosts of a command have answered
   */
  constructor(hosts: readonly FakeHost[], wire: Wire, lastsMs: number, ended: (commandId: string) => Promise<void>) {
    this.#hosts = hosts;
    wire.calls.set("DescribeInstanceInformation", ({ Filters }) => this.#describe(Filters as Filter[]));
    wire.calls.set("SendCommand", (input) => {
      const command = this.#send(input);
      this.sent.push(command);
      this.#endings.push(this.#end(command, lastsMs, ended));
      return { Command: { CommandId: command.id } };
    });
    wire.calls.set("ListCommandInvocations", ({ CommandId }) => {
      const command = this.sent.find(({ id }) => id === CommandId);
      const running = { Status: "InProgress", StatusDetails: "InProgress", CommandPlugins: [] };
      return {
        CommandInvocations: command?.invocations.map((done) => (command.ended ? done : { ...done, ...running })) ?? [],
      };
    });
    wire.calls.set("GetCommandInvocation", () => {
      throw new WireError("InvocationDoesNotExist");
    });
  }

  /** Steps in the order they were sent, each with its hosts. */
  story(): string[] {
    return this.sent.map(
      ({ step, invocations }) => `${step} ${invocations.map(({ InstanceId }) => String(InstanceId).at(-1)).join("")}`,
    );
  }

  /** Resolves when every event has been told. */
  async quiet(): Promise<void> {
    await Promise.all(this.#endings);
  }

  async #end(command: Command, lastsMs: number, ended: (commandId: string) => Promise<void>): Promise<void> {
    if (lastsMs > 0) await delay(lastsMs);
    command.ended = true;
    if (command.invocations.every(({ StatusDetails }) => StatusDetails !== "InProgress")) await ended(command.id);
  }

  #send(input: Readonly<Record<string, unknown>>): Command {
    const ids = input.InstanceIds as string[];
    const [text = ""] = (input.Parameters as Record<string, string[]>)[REQUEST_PARAMETER] ?? [];
    const request = decodeRequest(text);
    const { step, runId, attempt, dryRun } = request;
    if (ids.some((id) => this.#says(id, step) === "gone")) throw new WireError("InvalidInstanceId");
    const invocations = ids.map((InstanceId) => {
      const what = this.#says(InstanceId, step);
      if (what === "silent" || what === "gone")
        return { InstanceId, Status: "InProgress", StatusDetails: "InProgress", CommandPlugins: [] };
      const result = said(step, what, { instanceId: InstanceId, runId, attempt, dryRun });
      const bad = result.outcome === "failed" || result.outcome === "blocked";
      const Output = `${encodeResult(result)}\n----------ERROR-------\nlogs of ${step}\n`;
      return {
        InstanceId,
        Status: bad ? "Failed" : "Success",
        StatusDetails: bad ? "Failed" : "Success",
        CommandPlugins: [{ Name: step, ResponseCode: bad ? 10 : 0, ResponseStartDateTime: 1_767_322_800, Output }],
      };
    });
    return { id: `command-${this.sent.length + 1}`, step, invocations, ended: false };
  }

  #says(instanceId: string, step: StepName) {
    return this.#hosts.find((host) => host.instanceId === instanceId)?.says?.[step] ?? defaultOf(step);
  }

  #describe(filters: readonly Filter[]) {
    const ids = filters.find(({ Key }) => Key === "InstanceIds")?.Values;
    const found = this.#hosts.filter(({ instanceId, says }) => {
      const gone = this.sent.length > 0 && Object.values(says ?? {}).includes("gone");
      return !gone && (ids === undefined || ids.includes(instanceId));
    });
    return {
      InstanceInformationList: found.map(({ instanceId, name, online = true }) => ({
        InstanceId: instanceId,
        ComputerName: name,
        PlatformType: "Linux",
        PlatformName: "Debian GNU/Linux",
        PlatformVersion: "12",
        PingStatus: online ? "Online" : "ConnectionLost",
        LastPingDateTime: 1_767_322_800,
      })),
    };
  }
}

interface Filter {
  readonly Key: string;
  readonly Values: readonly string[];
}

/** A host that was asked to roll back and was told nothing else has nothing to undo. */
function defaultOf(step: StepName): Said {
  return step === "rollback" ? "nothing" : "ok";
}
