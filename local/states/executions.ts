import type { Definition, StateSequence } from "./definition.ts";
import { Aborted, StateFailure, StatesApiError } from "./errors.ts";
import { readInput, requireName } from "./execution-input.ts";
import type { ExecutionRecord } from "./execution-record.ts";
import { asFailure } from "./failing.ts";
import { failureDetails, History, type HistoryEvent, inputDetails, outputDetails } from "./history.ts";
import type { Json } from "./json.ts";
import type { MapRunRecord } from "./map-run-record.ts";
import type { StatesPorts } from "./ports.ts";
import type { Branch } from "./run.ts";
import { runSequence } from "./run-sequence.ts";
import { TaskTokens } from "./task-tokens.ts";
import { Variables } from "./variables.ts";
import { within } from "./waiting.ts";

/** A registered state machine. */
export interface Machine {
  readonly arn: string;
  readonly name: string;
  readonly roleArn: string;
  readonly definition: Definition;
  readonly definitionText: string;
  readonly creationDate: Date;
}

/** One history event and whose it is; `stateMachineArn` ends in `/Label` for children of a Map Run. */
export interface HistoryNotice {
  readonly executionArn: string;
  readonly stateMachineArn: string;
  readonly mapRunArn: string | undefined;
  readonly event: HistoryEvent;
}

interface Launch {
  readonly arn: string;
  readonly name: string;
  readonly stateMachineArn: string;
  readonly stateMachineName: string;
  readonly roleArn: string;
  readonly mapRunArn: string | undefined;
  readonly input: Json;
  readonly sequence: StateSequence;
  readonly timeoutSeconds: number | undefined;
}

type MapRunSettings = Pick<MapRunRecord, "maxConcurrency" | "toleratedFailureCount" | "toleratedFailurePercentage">;

/** All executions and Map Runs: starts them, runs them to their end, stops them. */
export class Executions {
  readonly machines = new Map<string, Machine>();
  /** In the order they were started. */
  readonly records = new Map<string, ExecutionRecord>();
  readonly mapRuns = new Map<string, MapRunRecord>();
  readonly tokens: TaskTokens;
  private readonly ports: StatesPorts;
  private readonly region: string;
  private readonly emit: (notice: HistoryNotice) => void;
  private readonly keepsHistories: boolean;

  constructor(
    ports: StatesPorts,
    place: { readonly region: string; readonly keepsHistories?: boolean },
    emit: (notice: HistoryNotice) => void,
  ) {
    this.ports = ports;
    this.region = place.region;
    this.keepsHistories = place.keepsHistories ?? true;
    this.emit = emit;
    this.tokens = new TaskTokens(ports.clock);
  }

  /**
   * Starts an execution. The same name and input while it runs give the running one.
   * @throws StatesApiError StateMachineDoesNotExist, InvalidName, InvalidExecutionInput, ExecutionAlreadyExists
   */
  start(stateMachineArn: string, name: string | undefined, inputText: string): ExecutionRecord {
    const machine = this.machines.get(stateMachineArn);
    if (machine === undefined) {
      throw new StatesApiError("StateMachineDoesNotExist", `State Machine Does Not Exist: '${stateMachineArn}'`);
    }
    const ownName = name ?? this.ports.random.uuid();
    requireName(ownName);
    const input = readInput(inputText);
    const arn = `${stateMachineArn.replace(":stateMachine:", ":execution:")}:${ownName}`;
    const known = this.records.get(arn);
    if (known !== undefined) {
      if (known.status === "RUNNING" && JSON.stringify(known.input) === JSON.stringify(input)) return known;
      throw new StatesApiError("ExecutionAlreadyExists", `Execution Already Exists: '${arn}'`);
    }
    const { definition, roleArn } = machine;
    const names = { name: ownName, stateMachineArn, stateMachineName: machine.name, roleArn, mapRunArn: undefined };
    return this.launch({ arn, ...names, input, sequence: definition, timeoutSeconds: definition.timeoutSeconds });
  }

  /** Starts a child of a Map Run. */
  startChild(mapRun: MapRunRecord, sequence: StateSequence, input: Json): ExecutionRecord {
    const name = this.ports.random.uuid();
    const { stateMachineArn, stateMachineName } = mapRun;
    const arn = `${stateMachineArn.replace(":stateMachine:", ":execution:")}:${name}`;
    const roleArn = this.records.get(mapRun.executionArn)?.roleArn ?? "";
    const names = { name, stateMachineArn, stateMachineName, roleArn, mapRunArn: mapRun.arn };
    return this.launch({ arn, ...names, input, sequence, timeoutSeconds: undefined });
  }

  /** Opens a Map Run of a Distributed Map; a Map without Label is labelled with its own name's letters and digits. */
  openMapRun(
    parent: ExecutionRecord,
    label: string | undefined,
    stateName: string,
    settings: MapRunSettings,
  ): MapRunRecord {
    const shown = label ?? stateName.replace(/[^A-Za-z0-9_.-]/g, "");
    const stateMachineArn = `${parent.stateMachineArn}/${shown}`;
    const mapRun: MapRunRecord = {
      arn: `${stateMachineArn.replace(":stateMachine:", ":mapRun:")}:${this.ports.random.uuid()}`,
      executionArn: parent.arn,
      stateMachineArn,
      stateMachineName: `${parent.stateMachineName}/${shown}`,
      startDate: this.ports.clock.now(),
      ...settings,
      children: new Map(),
      batches: [],
      resultsWritten: false,
      status: "RUNNING",
      stopDate: undefined,
    };
    this.mapRuns.set(mapRun.arn, mapRun);
    return mapRun;
  }

  /** Ends a running execution as ABORTED; one that is over stays as it is. @throws StatesApiError ExecutionDoesNotExist */
  stop(arn: string, error: string | undefined, cause: string | undefined): ExecutionRecord {
    const record = this.records.get(arn);
    if (record === undefined) {
      throw new StatesApiError("ExecutionDoesNotExist", `Execution Does Not Exist: '${arn}'`);
    }
    if (record.status !== "RUNNING") return record;
    const details = { ...(error === undefined ? {} : { error }), ...(cause === undefined ? {} : { cause }) };
    Object.assign(record, { status: "ABORTED", stopDate: this.ports.clock.now(), ...details });
    record.history.record("ExecutionAborted", 0, ["executionAbortedEventDetails", details], true);
    record.controller.abort();
    return record;
  }

  private launch(launch: Launch): ExecutionRecord {
    const { sequence, timeoutSeconds, ...names } = launch;
    const whose = { executionArn: names.arn, stateMachineArn: names.stateMachineArn, mapRunArn: names.mapRunArn };
    const { promise: finished, resolve } = Promise.withResolvers<void>();
    const { clock } = this.ports;
    const record: ExecutionRecord = {
      ...names,
      startDate: clock.now(),
      history: new History(
        () => clock.now(),
        (event) => this.emit({ ...whose, event }),
        this.keepsHistories,
      ),
      controller: new AbortController(),
      finished,
      status: "RUNNING",
      stopDate: undefined,
      output: undefined,
      error: undefined,
      cause: undefined,
      transitions: 0,
    };
    this.records.set(record.arn, record);
    const details = { ...inputDetails(record.input), roleArn: record.roleArn };
    record.history.record("ExecutionStarted", 0, ["executionStartedEventDetails", details]);
    // The caller gets its answer before the first state is entered.
    queueMicrotask(() => this.run(record, sequence, timeoutSeconds).then(resolve));
    return record;
  }

  private async run(
    record: ExecutionRecord,
    sequence: StateSequence,
    timeoutSeconds: number | undefined,
  ): Promise<void> {
    const run = { ports: this.ports, region: this.region, tokens: this.tokens, execution: record, executions: this };
    const overdue = new StateFailure("States.Timeout", null);
    const variables = new Variables();
    let root: Branch = {
      run,
      variables,
      signal: record.controller.signal,
      map: undefined,
      previous: 0,
      current: undefined,
    };
    try {
      const ms = timeoutSeconds === undefined ? undefined : timeoutSeconds * 1000;
      const output = await within(
        this.ports.clock,
        ms,
        record.controller.signal,
        () => overdue,
        (signal) => {
          root = { ...root, signal };
          return runSequence(sequence, record.input, root);
        },
      );
      Object.assign(record, { status: "SUCCEEDED", output, stopDate: this.ports.clock.now() });
      record.history.record(
        "ExecutionSucceeded",
        root.previous,
        ["executionSucceededEventDetails", outputDetails(output)],
        true,
      );
    } catch (error) {
      const failure = asFailure(error);
      if (failure instanceof Aborted) return;
      record.stopDate = this.ports.clock.now();
      if (failure === overdue) {
        record.status = "TIMED_OUT";
        record.history.record("ExecutionTimedOut", root.previous, ["executionTimedOutEventDetails", {}], true);
        return;
      }
      const details = failureDetails(failure);
      Object.assign(record, { status: "FAILED", error: details.error, cause: details.cause });
      record.history.record("ExecutionFailed", root.previous, ["executionFailedEventDetails", details], true);
    }
  }
}
