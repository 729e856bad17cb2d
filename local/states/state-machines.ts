import type {
  DescribeExecutionOutput,
  DescribeMapRunOutput,
  DescribeStateMachineOutput,
  ExecutionListItem,
  ExecutionStatus,
  MapRunListItem,
  StateMachineListItem,
} from "@aws-sdk/client-sfn";
import { DefinitionError, StatesApiError } from "./errors.ts";
import { requireName } from "./execution-input.ts";
import type { ExecutionRecord } from "./execution-record.ts";
import { Executions, type HistoryNotice } from "./executions.ts";
import type { HistoryEvent } from "./history.ts";
import { loadDefinition } from "./load.ts";
import { describeMapRun } from "./map-run-record.ts";
import { type PageRequest, page } from "./pages.ts";
import type { StatesPorts } from "./ports.ts";

/** A state machine to register; `definition` is the JSON text of the template with its references resolved. */
export interface Registration {
  readonly name: string;
  readonly arn: string;
  readonly roleArn: string;
  readonly definition: string;
}

interface Filter extends PageRequest {
  readonly statusFilter?: ExecutionStatus | undefined;
  readonly stateMachineArn?: string | undefined;
  readonly mapRunArn?: string | undefined;
}

interface HistoryRequest extends PageRequest {
  readonly executionArn: string;
  readonly reverseOrder?: boolean | undefined;
}

/**
 * Step Functions without an account: registered definitions, their executions and the calls of its API, in and out as in the
 * SDK (camelCase, dates as Date). Every refusal is a StatesApiError whose `code` is the exception on the wire.
 */
export class StateMachines {
  private readonly executions: Executions;
  private readonly ports: StatesPorts;
  private readonly listeners = new Set<(notice: HistoryNotice) => void>();

  /** @param place where they stand; histories are kept unless told otherwise: of 100,000 hosts they are gigabytes */
  constructor(ports: StatesPorts, place: { readonly region: string; readonly keepsHistories?: boolean }) {
    this.ports = ports;
    this.executions = new Executions(ports, place, (notice) => {
      for (const listener of this.listeners) listener(notice);
    });
  }

  /** Loads a definition. @throws DefinitionError for anything outside the interpreted subset, StatesApiError for its names */
  register(registration: Registration): void {
    const { arn, name, roleArn, definition: definitionText } = registration;
    requireName(name);
    if (!arn.endsWith(`:stateMachine:${name}`)) throw new StatesApiError("InvalidArn", `Invalid Arn: '${arn}'`);
    if (this.executions.machines.has(arn)) {
      throw new StatesApiError("StateMachineAlreadyExists", `State Machine Already Exists: '${arn}'`);
    }
    const creationDate = this.ports.clock.now();
    try {
      const definition = loadDefinition(definitionText);
      this.executions.machines.set(arn, { arn, name, roleArn, definition, definitionText, creationDate });
    } catch (error) {
      if (error instanceof DefinitionError) throw new DefinitionError(`${name}: ${error.where}`, error.reason);
      throw error;
    }
  }

  /** Calls `listener` for each history event of every execution, in order. Gives a function that ends it. */
  onHistory(listener: (notice: HistoryNotice) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  startExecution(request: { stateMachineArn: string; name?: string | undefined; input?: string | undefined }): {
    executionArn: string;
    startDate: Date;
  } {
    const record = this.executions.start(request.stateMachineArn, request.name, request.input ?? "{}");
    return { executionArn: record.arn, startDate: record.startDate };
  }

  stopExecution(request: { executionArn: string; error?: string | undefined; cause?: string | undefined }): {
    stopDate: Date;
  } {
    const record = this.executions.stop(request.executionArn, request.error, request.cause);
    return { stopDate: record.stopDate ?? this.ports.clock.now() };
  }

  /** Waits for the end of an execution. No call of AWS's API: for whoever starts one in this process. */
  async finished(executionArn: string): Promise<DescribeExecutionOutput> {
    await this.record(executionArn).finished;
    return this.describeExecution({ executionArn });
  }

  /** State transitions so far, as they would be billed. No call of AWS's API. */
  transitions(executionArn: string): number {
    return this.record(executionArn).transitions;
  }

  describeExecution(request: { executionArn: string }): DescribeExecutionOutput {
    const record = this.record(request.executionArn);
    return {
      ...listItem(record),
      input: JSON.stringify(record.input),
      inputDetails: { included: true },
      ...(record.output === undefined
        ? {}
        : { output: JSON.stringify(record.output), outputDetails: { included: true } }),
      ...(record.error === undefined ? {} : { error: record.error }),
      ...(record.cause === undefined ? {} : { cause: record.cause }),
    };
  }

  /** Newest first; of one state machine or one Map Run. */
  listExecutions(request: Filter): { executions: ExecutionListItem[]; nextToken?: string } {
    const { stateMachineArn, mapRunArn, statusFilter } = request;
    if ((stateMachineArn === undefined) === (mapRunArn === undefined)) {
      throw new StatesApiError("ValidationException", "ListExecutions takes one of stateMachineArn and mapRunArn");
    }
    if (stateMachineArn !== undefined) this.describeStateMachine({ stateMachineArn });
    if (mapRunArn !== undefined) this.describeMapRun({ mapRunArn });
    const wanted = [...this.executions.records.values()].filter(
      (record) =>
        (mapRunArn === undefined ? record.stateMachineArn === stateMachineArn : record.mapRunArn === mapRunArn) &&
        (statusFilter === undefined || record.status === statusFilter),
    );
    const { items, ...token } = page(wanted.reverse(), (record) => record.arn, request);
    return { executions: items.map(listItem), ...token };
  }

  getExecutionHistory(request: HistoryRequest): { events: HistoryEvent[]; nextToken?: string } {
    const { events } = this.record(request.executionArn).history;
    const ordered = request.reverseOrder === true ? events.toReversed() : events;
    const { items, ...token } = page(ordered, (event) => String(event.id), request);
    return { events: items, ...token };
  }

  describeStateMachine(request: { stateMachineArn: string }): DescribeStateMachineOutput {
    const machine = this.executions.machines.get(request.stateMachineArn);
    if (machine === undefined) {
      throw new StatesApiError(
        "StateMachineDoesNotExist",
        `State Machine Does Not Exist: '${request.stateMachineArn}'`,
      );
    }
    const { arn, name, roleArn, definitionText, creationDate } = machine;
    return {
      stateMachineArn: arn,
      name,
      status: "ACTIVE",
      definition: definitionText,
      roleArn,
      type: "STANDARD",
      creationDate,
    };
  }

  listStateMachines(request: PageRequest = {}): { stateMachines: StateMachineListItem[]; nextToken?: string } {
    const { items, ...token } = page([...this.executions.machines.values()], (machine) => machine.arn, request);
    const shown = items.map(({ arn, name, creationDate }) => ({
      stateMachineArn: arn,
      name,
      type: "STANDARD" as const,
      creationDate,
    }));
    return { stateMachines: shown, ...token };
  }

  describeMapRun(request: { mapRunArn: string }): DescribeMapRunOutput {
    const mapRun = this.executions.mapRuns.get(request.mapRunArn);
    if (mapRun === undefined)
      throw new StatesApiError("ResourceNotFound", `Resource not found: '${request.mapRunArn}'`);
    return describeMapRun(mapRun);
  }

  listMapRuns(request: PageRequest & { executionArn: string }): { mapRuns: MapRunListItem[]; nextToken?: string } {
    const { arn } = this.record(request.executionArn);
    const own = [...this.executions.mapRuns.values()].filter((mapRun) => mapRun.executionArn === arn);
    const { items, ...token } = page(own, (mapRun) => mapRun.arn, request);
    const shown = items.map(({ executionArn, arn: mapRunArn, stateMachineArn, startDate, stopDate }) => ({
      executionArn,
      mapRunArn,
      stateMachineArn,
      startDate,
      ...(stopDate === undefined ? {} : { stopDate }),
    }));
    return { mapRuns: shown, ...token };
  }

  /** @throws StatesApiError InvalidToken for an unknown token, TaskTimedOut for one that is used up, InvalidOutput */
  sendTaskSuccess(request: { taskToken: string; output: string }): void {
    this.executions.tokens.succeed(request.taskToken, request.output);
  }

  sendTaskFailure(request: { taskToken: string; error?: string | undefined; cause?: string | undefined }): void {
    this.executions.tokens.fail(request.taskToken, request.error, request.cause);
  }

  sendTaskHeartbeat(request: { taskToken: string }): void {
    this.executions.tokens.heartbeat(request.taskToken);
  }

  private record(executionArn: string): ExecutionRecord {
    const record = this.executions.records.get(executionArn);
    if (record !== undefined) return record;
    throw new StatesApiError("ExecutionDoesNotExist", `Execution Does Not Exist: '${executionArn}'`);
  }
}

function listItem(record: ExecutionRecord) {
  return {
    executionArn: record.arn,
    stateMachineArn: record.stateMachineArn,
    name: record.name,
    status: record.status,
    startDate: record.startDate,
    ...(record.stopDate === undefined ? {} : { stopDate: record.stopDate }),
    ...(record.mapRunArn === undefined ? {} : { mapRunArn: record.mapRunArn }),
    redriveCount: 0,
  };
}
