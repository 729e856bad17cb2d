import { setTimeout as delay } from "node:timers/promises";
import type { StepResult } from "../../contract/envelope.ts";
import { encodeResult } from "../../contract/frame.ts";
import { REQUEST_PARAMETER } from "../../contract/names.ts";
import { decodeRequest, type HostRequest } from "../../contract/request.ts";
import {
  type CommandName,
  ROLLBACK_AFTER_REPLACEMENT,
  ROLLBACK_AFTER_TRIAL,
  type StepName,
} from "../../contract/steps.ts";
import { ended, isAbsent, MISBEHAVIOURS, type Misbehaviour, misbehaved, type PluginSeen } from "./misbehaviour.ts";
import { type Said, said } from "./results.ts";
import { type Wire, WireError } from "./wire.ts";

/** How a host behaves: by step what it says, or how it misbehaves. */
export interface FakeHost {
  readonly instanceId: string;
  readonly name: string;
  readonly says?: Partial<Record<StepName, Said | Misbehaviour>>;
  readonly online?: boolean;
  /** What it says to its rollback once its trial is over, and once its root volume was replaced. @default as before */
  readonly afterTrial?: Said | Misbehaviour;
  readonly restored?: Said | Misbehaviour;
  /** Availability Zone, as its Auto Scaling group knows it. */
  readonly zone?: string;
  /** Key of its report of a step, as it would have put it into the bucket. */
  readonly reportKeys?: Partial<Record<StepName, string>>;
  /** What its answer to a step says otherwise than usual. */
  readonly data?: Partial<Record<StepName, Readonly<Record<string, unknown>>>>;
}

interface Seen {
  readonly InstanceId: string;
  readonly Status: string;
  readonly StatusDetails: string;
  readonly CommandPlugins: readonly PluginSeen[];
}

interface Command {
  readonly id: string;
  readonly name: CommandName;
  readonly invocations: readonly Seen[];
  /** A step of it takes a long time. */
  readonly late: boolean;
  /** Hosts that answer long after the others. */
  readonly slow: ReadonlySet<string>;
  ended: boolean;
  slowEnded: boolean;
}

/** How much longer a host takes that is late. */
const LATE = 40;
/** How much later than the others a slow host answers: several slices of the wait. */
const STEP_LATER_MS = 2_500;

/** Run Command with hosts that say what a test tells them to, each answer in the frame and shape of the real one. */
export class FakeHosts {
  readonly sent: Command[] = [];
  readonly #hosts: readonly FakeHost[];
  readonly #endings: Promise<void>[] = [];
  /** Hosts that SSM does not reach, and why; one that is gone stays so. */
  readonly #absent = new Map<string, "gone" | "offline" | "untagged">();

  /**
   * @param lastsMs how long every step takes
   * @param ended told once all hosts of a command have answered
   */
  constructor(hosts: readonly FakeHost[], wire: Wire, lastsMs: number, ended: (commandId: string) => Promise<void>) {
    this.#hosts = hosts;
    wire.calls.set("DescribeInstanceInformation", ({ Filters }) => this.#describe(Filters as Filter[]));
    wire.calls.set("DescribeAutoScalingInstances", () => this.#zones());
    wire.calls.set("SendCommand", (input) => {
      const command = this.#send(input);
      this.sent.push(command);
      this.#endings.push(this.#end(command, command.late ? lastsMs * LATE : lastsMs, ended));
      return { Command: { CommandId: command.id } };
    });
    wire.calls.set("ListCommandInvocations", ({ CommandId }) => {
      const command = this.sent.find(({ id }) => id === CommandId);
      const running = { Status: "InProgress", StatusDetails: "InProgress", CommandPlugins: [] };
      return {
        CommandInvocations:
          command?.invocations.map((done) =>
            command.ended && (command.slowEnded || !command.slow.has(done.InstanceId)) ? done : { ...done, ...running },
          ) ?? [],
      };
    });
    wire.calls.set("GetCommandInvocation", ({ CommandId, InstanceId, PluginName }) => {
      const invocation = this.sent
        .find(({ id }) => id === CommandId)
        ?.invocations.find((one) => one.InstanceId === InstanceId);
      const plugin = invocation?.CommandPlugins.find(({ Name }) => Name === PluginName);
      if (plugin === undefined) throw new WireError("InvocationDoesNotExist");
      return { StandardOutputContent: plugin.whole };
    });
  }

  /** Commands in the order they were sent, each with its hosts. */
  story(): string[] {
    return this.sent.map(
      ({ name, invocations }) => `${name} ${invocations.map(({ InstanceId }) => InstanceId.at(-1)).join("")}`,
    );
  }

  /** Resolves when every event has been told. */
  async quiet(): Promise<void> {
    await Promise.all(this.#endings);
  }

  async #end(command: Command, lastsMs: number, ended: (commandId: string) => Promise<void>): Promise<void> {
    if (lastsMs > 0) await delay(lastsMs);
    command.ended = true;
    if (command.slow.size > 0) await delay(STEP_LATER_MS);
    command.slowEnded = true;
    if (command.invocations.every(({ StatusDetails }) => StatusDetails !== "InProgress")) await ended(command.id);
  }

  #send(input: Readonly<Record<string, unknown>>): Command {
    const ids = input.InstanceIds as string[];
    const [text = ""] = (input.Parameters as Record<string, string[]>)[REQUEST_PARAMETER] ?? [];
    const request = decodeRequest(text);
    const name = String(input.DocumentName).replace(/^.*-/, "").toLowerCase() as CommandName;
    const says = ids.flatMap((id) =>
      request.steps.map((step) => ({ id, what: this.#says(id, step, request.attempt) })),
    );
    for (const id of ids) if (this.#absent.get(id) !== "gone") this.#absent.delete(id);
    for (const { id, what } of says) if (isAbsent(what)) this.#absent.set(id, what);
    const absences = ids.map((id) => this.#absent.get(id));
    if (absences.includes("untagged")) throw new WireError("AccessDeniedException");
    if (absences.some((why) => why !== undefined)) throw new WireError("InvalidInstanceId");
    const invocations = ids.map((id) => this.#invocation(id, request));
    for (const { id, what } of says) if (what === "dies") this.#absent.set(id, "gone");
    const late = says.some(({ what }) => what === "late");
    const slow = new Set(says.filter(({ what }) => what === "slow").map(({ id }) => id));
    const id = `command-${this.sent.length + 1}`;
    return { id, name, invocations, late, slow, ended: false, slowEnded: false };
  }

  /** The host goes on as long as its steps pass; those after that print nothing. */
  #invocation(InstanceId: string, { steps, runId, attempt, dryRun }: HostRequest): Seen {
    const CommandPlugins: PluginSeen[] = [];
    let status = "Success";
    let reached = true;
    for (const step of steps) {
      const what = this.#says(InstanceId, step, attempt);
      const over = { instanceId: InstanceId, runId, attempt, dryRun };
      const plugin = reached ? this.#step(step, what, over) : ended(step, "", 0);
      if (plugin === null) return { InstanceId, Status: "InProgress", StatusDetails: "InProgress", CommandPlugins: [] };
      CommandPlugins.push(plugin);
      if (plugin.StatusDetails !== "Success") status = plugin.StatusDetails;
      reached &&= passes(step, what, over);
    }
    const Status = status === "Success" || status === "Failed" ? status : "TimedOut";
    return { InstanceId, Status, StatusDetails: status, CommandPlugins };
  }

  #step(step: StepName, what: Said | Misbehaviour, over: NonNullable<Parameters<typeof said>[2]>): PluginSeen | null {
    if (isMisbehaviour(what)) return misbehaved(what, said(step, "ok", over));
    const result = this.#answer(step, what, over);
    const bad = result.outcome === "failed" || result.outcome === "blocked";
    return ended(step, `${encodeResult(result)}\n`, bad ? 10 : 0);
  }

  #answer(step: StepName, what: Said, over: NonNullable<Parameters<typeof said>[2]>): StepResult {
    const host = this.#hosts.find((one) => one.instanceId === over.instanceId);
    const result = said(step, what, { ...over, reportKey: host?.reportKeys?.[step] ?? null });
    return "data" in result ? { ...result, data: { ...result.data, ...host?.data?.[step] } } : result;
  }

  #says(instanceId: string, step: StepName, attempt: number) {
    const host = this.#hosts.find((one) => one.instanceId === instanceId);
    const later = { [ROLLBACK_AFTER_TRIAL]: host?.afterTrial, [ROLLBACK_AFTER_REPLACEMENT]: host?.restored }[attempt];
    return (step === "rollback" ? later : undefined) ?? host?.says?.[step] ?? defaultOf(step);
  }

  #zones(): string {
    const members = this.#hosts
      .filter(({ zone }) => zone !== undefined)
      .map(
        ({ instanceId, zone }) =>
          `<member><InstanceId>${instanceId}</InstanceId><AvailabilityZone>${zone}</AvailabilityZone></member>`,
      );
    const list = `<AutoScalingInstances>${members.join("")}</AutoScalingInstances>`;
    return `<DescribeAutoScalingInstancesResponse><DescribeAutoScalingInstancesResult>${list}</DescribeAutoScalingInstancesResult></DescribeAutoScalingInstancesResponse>`;
  }

  #describe(filters: readonly Filter[]) {
    const ids = filters.find(({ Key }) => Key === "InstanceIds")?.Values;
    const byTag = filters.some(({ Key }) => Key.startsWith("tag:"));
    const found = this.#hosts.filter(({ instanceId }) => {
      const absent = this.#absent.get(instanceId);
      if (absent === "gone" || (absent === "untagged" && byTag)) return false;
      return ids === undefined || ids.includes(instanceId);
    });
    return {
      InstanceInformationList: found.map(({ instanceId, name, online = true }) => ({
        InstanceId: instanceId,
        ComputerName: name,
        PlatformType: "Linux",
        PlatformName: "Debian GNU/Linux",
        PlatformVersion: "12",
        PingStatus: online && this.#absent.get(instanceId) !== "offline" ? "Online" : "ConnectionLost",
        LastPingDateTime: 1_767_322_800,
      })),
    };
  }
}

interface Filter {
  readonly Key: string;
  readonly Values: readonly string[];
}

/** Whether a step's entry is a misbehaviour. */
function isMisbehaviour(what: Said | Misbehaviour): what is Misbehaviour {
  return (MISBEHAVIOURS as readonly string[]).includes(what);
}

/** Whether the agent goes on to the next step. It knows what it did, whatever became of its answer. */
function passes(step: StepName, what: Said | Misbehaviour, over: Parameters<typeof said>[2]): boolean {
  if (isMisbehaviour(what)) return !["stuck", "killed", "garbage", "deaf"].includes(what);
  const result: StepResult = said(step, what, over);
  return result.outcome === "succeeded" || result.outcome === "rebootRequired";
}

/** A host that was asked to roll back and was told nothing else has nothing to undo. */
function defaultOf(step: StepName): Said {
  return step === "rollback" ? "nothing" : "ok";
}
