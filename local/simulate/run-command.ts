import { REQUEST_PARAMETER } from "../../contract/names.ts";
import { decodeRequest, type HostRequest } from "../../contract/request.ts";
import { type CommandName, commandSeconds, type StepName } from "../../contract/steps.ts";
import { allowedErrorsOf, concurrencyOf } from "../run-command/service/rates.ts";
import {
  type CommandDetail,
  commandDetail,
  countsAsError,
  hasEnded,
  type InvocationDetail,
  statusOf,
} from "../run-command/service/statuses.ts";
import type { HostAnswer, HostStep, SimulatedHost } from "./host.ts";
import { ServiceError } from "./service-error.ts";
import type { VirtualClock } from "./virtual-clock.ts";

interface Invocation {
  readonly host: SimulatedHost;
  detail: InvocationDetail;
  steps: readonly HostStep[];
}
interface Command {
  readonly id: string;
  readonly document: string;
  readonly request: HostRequest;
  readonly invocations: readonly Invocation[];
  readonly expiresMs: number;
  readonly deliverUntilMs: number;
}
export interface SendCommandInput {
  readonly DocumentName: string;
  readonly InstanceIds: readonly string[];
  readonly Parameters: Readonly<Record<string, readonly string[]>>;
  readonly TimeoutSeconds: number;
  readonly MaxConcurrency: string;
  readonly MaxErrors: string;
}

/** How long each command worked on its hosts, from sending to the last one's end. */
export interface HostWork {
  readonly document: string;
  readonly request: HostRequest;
  readonly seconds: number;
}

export interface RunCommandPorts {
  readonly clock: VirtualClock;
  readonly hosts: ReadonlyMap<string, SimulatedHost>;
  newId(): string;
  /** A command has a new status. */
  changed(command: { readonly id: string; readonly document: string; readonly status: string }): void;
  worked(work: HostWork): void;
}

/** Seconds that a host in the sleep of a vanished agent is tried for are those of the command; then the service gives it up. */
const ANSWER_GRACE_MS = 5_000;
const PAGE = 50;

/** Run Command over simulated hosts: concurrency, errors and time-outs by the service's rules, which the local stack's own also keeps. */
export class SimulatedRunCommand {
  readonly #ports: RunCommandPorts;
  readonly #commands = new Map<string, Command>();

  constructor(ports: RunCommandPorts) {
    this.#ports = ports;
  }

  /** @throws ServiceError InvalidInstanceId when a single host is gone */
  send(input: SendCommandInput) {
    const { clock, hosts, newId } = this.#ports;
    const request = decodeRequest(input.Parameters[REQUEST_PARAMETER]?.[0] ?? "");
    const [first] = request.steps;
    const chosen = input.InstanceIds.map((id) => hosts.get(id));
    for (const host of chosen) if (first !== undefined) host?.comeTo(first);
    if (chosen.some((host) => host === undefined || host.isGone)) throw new ServiceError("InvalidInstanceId");
    const seconds = commandSeconds(commandOf(input.DocumentName));
    const nowMs = clock.millis;
    const command: Command = {
      id: newId(),
      document: input.DocumentName,
      request,
      invocations: chosen.map((host) => ({ host: host as SimulatedHost, detail: "Pending", steps: [] })),
      deliverUntilMs: nowMs + input.TimeoutSeconds * 1000,
      expiresMs: nowMs + (input.TimeoutSeconds + seconds) * 1000,
    };
    this.#commands.set(command.id, command);
    void this.#carryOut(command, input);
    return { Command: { CommandId: command.id } };
  }

  /** @throws ServiceError InvalidCommandId */
  list({ CommandId, NextToken }: { readonly CommandId: string; readonly NextToken?: string }) {
    const command = this.#commands.get(CommandId);
    if (command === undefined) throw new ServiceError("InvalidCommandId");
    const start = Number(NextToken ?? 0);
    const shown = command.invocations.slice(start, start + PAGE).map((one) => shape(command, one));
    const next = start + PAGE < command.invocations.length ? { NextToken: String(start + PAGE) } : {};
    return { CommandInvocations: shown, ...next };
  }

  /** @throws ServiceError InvocationDoesNotExist */
  get(input: { readonly CommandId: string; readonly InstanceId: string; readonly PluginName?: string }) {
    const invocation = this.#commands
      .get(input.CommandId)
      ?.invocations.find(({ host }) => host.instanceId === input.InstanceId);
    if (invocation === undefined) throw new ServiceError("InvocationDoesNotExist");
    const step = invocation.steps.find(({ name }) => name === input.PluginName);
    return {
      StandardOutputContent: step?.stdout ?? "",
      StatusDetails: invocation.detail,
      Status: statusOf(invocation.detail),
    };
  }

  async #carryOut(command: Command, input: SendCommandInput): Promise<void> {
    const { clock } = this.#ports;
    const begin = clock.millis;
    // The caller has its answer before anything happens.
    await clock.sleep(1);
    this.#announce(command, "InProgress");
    const { invocations } = command;
    const allowed = allowedErrorsOf(input.MaxErrors, invocations.length);
    let next = 0;
    let errors = 0;
    const lane = async () => {
      for (let one = invocations[next++]; one !== undefined; one = invocations[next++]) {
        one.detail = errors > allowed ? "Terminated" : await this.#invoke(command, one);
        if (countsAsError(one.detail)) errors++;
      }
    };
    await Promise.all(Array.from({ length: concurrencyOf(input.MaxConcurrency, invocations.length) }, lane));
    this.#ports.worked({
      document: command.document,
      request: command.request,
      seconds: (clock.millis - begin) / 1000,
    });
    this.#announce(
      command,
      commandDetail(
        invocations.map(({ detail }) => detail),
        allowed,
      ),
    );
  }

  async #invoke(command: Command, one: Invocation): Promise<InvocationDetail> {
    const { clock } = this.#ports;
    const { host } = one;
    if (host.isGone) return "Undeliverable";
    if (host.isSilent) {
      one.detail = "Delayed";
      await clock.sleep(command.deliverUntilMs - clock.millis);
      return "DeliveryTimedOut";
    }
    one.detail = "InProgress";
    const { steps, seconds }: HostAnswer = host.take(command.request, clock.millis);
    const left = command.expiresMs + ANSWER_GRACE_MS - clock.millis;
    if (steps === null || seconds * 1000 > left) {
      await clock.sleep(left);
      return "DeliveryTimedOut";
    }
    await clock.sleep(seconds * 1000);
    one.steps = steps;
    if (steps.some(({ status }) => status === "TimedOut")) return "ExecutionTimedOut";
    return steps.some(({ status }) => status === "Failed") ? "Failed" : "Success";
  }

  #announce({ id, document }: Command, detail: CommandDetail): void {
    this.#ports.changed({ id, document, status: statusOf(detail) });
  }
}

/** `<prefix>AutoPatch-Prepare` sends the command `prepare`. */
function commandOf(document: string): CommandName {
  return document.slice(document.lastIndexOf("-") + 1).toLowerCase() as CommandName;
}

/** As ListCommandInvocations gives it with details; steps of a host that still works are not told. */
function shape({ id, request }: Command, { host, detail, steps }: Invocation) {
  const plugin = (name: StepName) => {
    const step = hasEnded(detail) ? steps.find((one) => one.name === name) : undefined;
    const status = step === undefined ? detail : step.status === "TimedOut" ? "ExecutionTimedOut" : step.status;
    return {
      Name: name,
      Status: statusOf(status),
      StatusDetails: status,
      ResponseCode: step?.exitCode ?? -1,
      ...(step?.startedAt ? { ResponseStartDateTime: step.startedAt } : {}),
      Output: step?.stdout ?? "",
    };
  };
  return {
    CommandId: id,
    InstanceId: host.instanceId,
    Status: statusOf(detail),
    StatusDetails: detail,
    CommandPlugins: request.steps.map(plugin),
  };
}
