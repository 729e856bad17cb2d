import type { HistoryEventType } from "@aws-sdk/client-sfn";
import { StateFailure } from "./errors.ts";
import { type Json, type JsonObject, jsonBytes } from "./json.ts";

/** One event as GetExecutionHistory gives it: the details stand under the field named after the type. */
export interface HistoryEvent {
  readonly timestamp: Date;
  readonly type: HistoryEventType;
  readonly id: number;
  readonly previousEventId: number;
  readonly [details: string]: unknown;
}

/** An execution holds at most this many events. Source: AWS, "Step Functions service quotas". */
export const MAX_EVENTS = 25_000;
/** A state's input, output, result or Assign holds at most this many bytes of UTF-8 JSON. */
export const MAX_PAYLOAD_BYTES = 262_144;

/** The event list of one execution. `emit` hears each event once, in order. */
export class History {
  /** Empty when it is only to be heard. */
  readonly events: HistoryEvent[] = [];
  private count = 0;
  private readonly now: () => Date;
  private readonly emit: (event: HistoryEvent) => void;
  private readonly isKept: boolean;

  constructor(now: () => Date, emit: (event: HistoryEvent) => void, isKept = true) {
    this.now = now;
    this.emit = emit;
    this.isKept = isKept;
  }

  /**
   * Appends an event and gives its id. `details` is `[fieldName, value]` or absent. The last place is kept for the event
   * that ends the execution. @throws StateFailure States.Runtime when the history is full.
   */
  record(type: HistoryEventType, previousEventId: number, details?: readonly [string, unknown], last = false): number {
    const id = this.count + 1;
    if (!last && id >= MAX_EVENTS) {
      throw new StateFailure(
        "States.Runtime",
        `The execution reached the maximum number of history events (${MAX_EVENTS}).`,
      );
    }
    const event: HistoryEvent = {
      timestamp: this.now(),
      type,
      id,
      previousEventId,
      ...(details === undefined ? {} : { [details[0]]: details[1] }),
    };
    this.count = id;
    if (this.isKept) this.events.push(event);
    this.emit(event);
    return id;
  }
}

/** `input`/`output` fields of event details: JSON text, never cut here. */
export function inputDetails(value: Json): { input: string; inputDetails: { truncated: false } } {
  return { input: JSON.stringify(value), inputDetails: { truncated: false } };
}

export function outputDetails(value: Json): { output: string; outputDetails: { truncated: false } } {
  return { output: JSON.stringify(value), outputDetails: { truncated: false } };
}

/** Assigned variables as StateExited shows them: each value as JSON text. */
export function assignedDetails(values: JsonObject): object {
  const entries = Object.entries(values).map(([name, value]) => [name, JSON.stringify(value)]);
  return { assignedVariables: Object.fromEntries(entries), assignedVariablesDetails: { truncated: false } };
}

/** `error`/`cause` fields of event details; what is missing is left out, as AWS does (time-outs, a Fail without Error). */
export function failureDetails(failure: StateFailure): { error?: string; cause?: string } {
  return {
    ...(failure.error === "" ? {} : { error: failure.error }),
    ...(failure.failureCause === null ? {} : { cause: failure.failureCause }),
  };
}

/** @throws StateFailure States.DataLimitExceeded when a value is larger than AWS carries; `owner` is a state or resource. */
export function checkSize(value: Json, owner: string): void {
  if (jsonBytes(value) <= MAX_PAYLOAD_BYTES) return;
  const what = "returned a result with a size exceeding the maximum number of bytes service limit.";
  throw new StateFailure("States.DataLimitExceeded", `The state/task '${owner}' ${what}`);
}
