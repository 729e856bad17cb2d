import { AwsError, notModelled } from "../../endpoints/aws-error.ts";
import type { StepResult } from "../document/run-document.ts";
import { AWS_RUN_SHELL_SCRIPT } from "./aws-documents.ts";
import { type Clock, deliver } from "./delivery.ts";
import { Documents, type StoredDocument, stepsOf } from "./documents.ts";
import { type CommandEvent, commandEvent, type EventFaults, invocationEvent } from "./events.ts";
import { type Filter, instanceInformation, type ManagedNode, matchingNodes, targetedNodes } from "./nodes.ts";
import { page } from "./pages.ts";
import {
  type CommandRecord,
  commandInvocationShape,
  commandShape,
  type Invocation,
  invocationShape,
} from "./record.ts";
import { acceptRequest } from "./send-request.ts";
import { type CommandDetail, commandDetail, hasEnded, statusOf } from "./statuses.ts";

export interface RunCommandSettings {
  readonly account: string;
  readonly region: string;
  /** Those of the account; AWS-RunShellScript is always there. */
  readonly documents: readonly StoredDocument[];
  /** Asked again at each call: nodes come and go. */
  nodes(): readonly ManagedNode[];
  readonly clock: Clock;
  /** A UUID. */
  newId(): string;
  /** Takes an event to the bus. */
  emit(event: CommandEvent): void | Promise<void>;
  /** @default events all arrive, once and at once */
  readonly faults?: EventFaults;
  /** Milliseconds after SendCommand during which GetCommandInvocation does not know the command yet. @default 0 */
  readonly visibleAfterMs?: number;
  /** What somebody beside the host sees; SSM tells of single steps only when the whole document has ended. @default nobody looks */
  stepEnded?(seen: SeenStep): void;
  /** @default dropped */
  log?(line: string): void;
}

/** A step of a document that has ended on a host. */
export interface SeenStep {
  readonly documentName: string;
  readonly instanceId: string;
  readonly step: StepResult;
}

const PAGE = 50;

/** Run Command of Systems Manager. Methods take and give what the API takes and gives; they throw AwsError as the service refuses. */
export class RunCommand {
  readonly #settings: RunCommandSettings;
  readonly #documents: Documents;
  readonly #commands: CommandRecord[] = [];
  readonly #running = new Set<Promise<void>>();

  constructor(settings: RunCommandSettings) {
    this.#settings = settings;
    this.#documents = new Documents([AWS_RUN_SHELL_SCRIPT, ...settings.documents]);
  }

  sendCommand(input: unknown) {
    const { clock, account, newId } = this.#settings;
    const accepted = acceptRequest(input, { id: account, documents: this.#documents, nodes: this.#settings.nodes() });
    const { names, executionSeconds } = stepsOf(accepted.document, accepted.request.Parameters ?? {});
    const requestedAt = clock.now();
    const command: CommandRecord = {
      id: newId(),
      accepted,
      stepNames: names,
      requestedAt,
      expiresAfter: new Date(requestedAt.getTime() + (accepted.timeoutSeconds + executionSeconds) * 1000),
      invocations: accepted.nodes.map((node) => ({
        node,
        detail: "Pending",
        steps: [],
        trace: "",
        cancel: new AbortController(),
      })),
      detail: "Pending",
    };
    this.#commands.push(command);
    const running = this.#carryOut(command).finally(() => this.#running.delete(running));
    this.#running.add(running);
    return { Command: commandShape(command) };
  }

  /** The nodes that a SendCommand with these would mean, those it would refuse left out. */
  nodesOf({ InstanceIds, Targets }: { InstanceIds: readonly string[]; Targets: readonly Filter[] }): ManagedNode[] {
    const nodes = this.#settings.nodes();
    const named = nodes.filter((node) => InstanceIds.includes(node.instanceId));
    return Targets.length === 0 ? named : [...named, ...targetedNodes(nodes, Targets)];
  }

  listCommands(
    request: {
      CommandId?: string | undefined;
      InstanceId?: string | undefined;
      MaxResults?: number | undefined;
      NextToken?: string | undefined;
    } = {},
  ) {
    const found = this.#find(request.CommandId).filter((command) => isOn(command, request.InstanceId));
    const { items, ...next } = page(found.reverse(), request, PAGE);
    return { Commands: items.map(commandShape), ...next };
  }

  listCommandInvocations(
    request: {
      CommandId?: string | undefined;
      InstanceId?: string | undefined;
      Details?: boolean | undefined;
      MaxResults?: number | undefined;
      NextToken?: string | undefined;
      Filters?: readonly { key: string; value: string }[] | undefined;
    } = {},
  ) {
    const filters = request.Filters ?? [];
    const unknown = filters.find(({ key }) => key !== "Status" && key !== "DocumentName");
    if (unknown !== undefined) throw notModelled(`ssm ListCommandInvocations with filter ${unknown.key}`);
    const found = this.#find(request.CommandId).flatMap((command) =>
      command.invocations
        .filter(({ node }) => request.InstanceId === undefined || node.instanceId === request.InstanceId)
        .map((invocation) => invocationShape(command, invocation, request.Details ?? false)),
    );
    const kept = found.filter((one) =>
      filters.every(({ key, value }) => (key === "Status" ? one.Status : one.DocumentName) === value),
    );
    const { items, ...next } = page(kept, request, PAGE);
    return { CommandInvocations: items, ...next };
  }

  getCommandInvocation(request: { CommandId: string; InstanceId: string; PluginName?: string | undefined }) {
    const { clock, visibleAfterMs = 0 } = this.#settings;
    const command = this.#commands.find((one) => one.id === request.CommandId);
    const invocation = command?.invocations.find((one) => one.node.instanceId === request.InstanceId);
    const isVisible = command !== undefined && clock.now().getTime() - command.requestedAt.getTime() >= visibleAfterMs;
    if (invocation === undefined || !isVisible) throw new AwsError("InvocationDoesNotExist", "");
    const [only, ...others] = command.stepNames;
    const stepName = request.PluginName ?? (others.length === 0 ? only : undefined);
    if (stepName === undefined || !command.stepNames.includes(stepName)) throw new AwsError("InvalidPluginName", "");
    return commandInvocationShape(command, invocation, stepName);
  }

  cancelCommand(request: { CommandId: string; InstanceIds?: readonly string[] | undefined }) {
    const [command] = this.#find(request.CommandId);
    const wanted = request.InstanceIds ?? [];
    for (const invocation of command?.invocations ?? []) {
      const isMeant = wanted.length === 0 || wanted.includes(invocation.node.instanceId);
      if (command === undefined || !isMeant || hasEnded(invocation.detail)) continue;
      this.#changeInvocation(command, invocation, invocation.detail === "InProgress" ? "Cancelling" : "Cancelled");
      invocation.cancel.abort();
    }
    return {};
  }

  describeInstanceInformation(
    request: {
      Filters?: readonly Filter[] | undefined;
      InstanceInformationFilterList?: readonly { key: string; valueSet: readonly string[] }[] | undefined;
      MaxResults?: number | undefined;
      NextToken?: string | undefined;
    } = {},
  ) {
    const older = (request.InstanceInformationFilterList ?? []).map(({ key, valueSet }) => ({
      Key: key,
      Values: valueSet,
    }));
    const nodes = matchingNodes(this.#settings.nodes(), [...(request.Filters ?? []), ...older]);
    const { items, ...next } = page(nodes, request, PAGE);
    return { InstanceInformationList: items.map(instanceInformation), ...next };
  }

  getDocument(request: { Name: string }) {
    const { name, content, createdAt } = this.#documents.get(request.Name);
    return {
      Name: name,
      CreatedDate: createdAt,
      DocumentVersion: "1",
      Status: "Active",
      Content: content,
      DocumentType: "Command",
      DocumentFormat: "JSON",
    };
  }

  listDocuments(request: { MaxResults?: number | undefined; NextToken?: string | undefined } = {}) {
    const { items, ...next } = page(this.#documents.all(), request, PAGE);
    const DocumentIdentifiers = items.map(({ name, createdAt, owner }) => ({
      Name: name,
      CreatedDate: createdAt,
      Owner: owner ?? this.#settings.account,
      PlatformTypes: ["Linux"],
      DocumentVersion: "1",
      DocumentType: "Command",
      SchemaVersion: "2.2",
      DocumentFormat: "JSON",
      Tags: [],
    }));
    return { DocumentIdentifiers, ...next };
  }

  /** Cancels what runs and waits until no script is left. */
  async close(): Promise<void> {
    for (const command of this.#commands) this.cancelCommand({ CommandId: command.id });
    await Promise.allSettled(this.#running);
  }

  #find(commandId: string | undefined): CommandRecord[] {
    if (commandId === undefined) return [...this.#commands];
    const found = this.#commands.filter((command) => command.id === commandId);
    if (found.length === 0) throw new AwsError("InvalidCommandId", "");
    return found;
  }

  async #carryOut(command: CommandRecord): Promise<void> {
    // The caller has its answer before anything happens to the command.
    await Promise.resolve();
    if (command.invocations.length > 0) this.#changeCommand(command, "InProgress");
    await deliver(command, {
      clock: this.#settings.clock,
      changed: (invocation, detail) => this.#changeInvocation(command, invocation, detail),
      stepEnded: ({ node: { instanceId } }, step) =>
        this.#settings.stepEnded?.({ documentName: command.accepted.document.name, instanceId, step }),
      log: (line) => this.#settings.log?.(line),
    });
    const details = command.invocations.map((one) => one.detail);
    this.#changeCommand(command, commandDetail(details, command.accepted.allowedErrors));
  }

  #changeInvocation(command: CommandRecord, invocation: Invocation, detail: Invocation["detail"]): void {
    const before = statusOf(invocation.detail);
    invocation.detail = detail;
    if (statusOf(detail) !== before) this.#announce((place) => invocationEvent(command, invocation, place));
  }

  #changeCommand(command: CommandRecord, detail: CommandDetail): void {
    command.detail = detail;
    this.#announce((place) => commandEvent(command, place));
  }

  #announce(make: (place: Parameters<typeof commandEvent>[1]) => CommandEvent): void {
    const { account, region, clock, newId, faults = {}, emit, log } = this.#settings;
    const event = make({ id: newId(), account, region, time: clock.now() });
    if (faults.lose?.(event)) return;
    const send = async () => {
      const late = faults.delayMs?.(event) ?? 0;
      if (late > 0) await clock.sleep(late, new AbortController().signal);
      await emit(event);
      if (faults.duplicate?.(event)) await emit(event);
    };
    send().catch((error: unknown) => log?.(`event ${event.id}: ${String(error)}`));
  }
}

function isOn(command: CommandRecord, instanceId: string | undefined): boolean {
  return instanceId === undefined || command.invocations.some((one) => one.node.instanceId === instanceId);
}
