import type { Json, JsonObject } from "./json.ts";
import type { TaskResource } from "./resources.ts";

/** A number, or a JSONata string `{% … %}` that gives one when the state runs. */
export type NumberField = number | string;

/** States with a start: a whole machine, one Parallel branch, one Map's processor. */
export interface StateSequence {
  readonly startAt: string;
  readonly states: ReadonlyMap<string, State>;
}

export interface Definition extends StateSequence {
  readonly timeoutSeconds: number | undefined;
}

interface Named {
  readonly name: string;
}

/** `next` undefined means `End: true`. `output` undefined means the state's own default. */
interface Flowing extends Named {
  readonly output: Json | undefined;
  readonly assign: JsonObject | undefined;
  readonly next: string | undefined;
}

export interface Retrier {
  readonly errorEquals: readonly string[];
  readonly intervalSeconds: number;
  readonly maxAttempts: number;
  readonly backoffRate: number;
  readonly maxDelaySeconds: number | undefined;
  readonly jitter: boolean;
}

export interface Catcher {
  readonly errorEquals: readonly string[];
  readonly next: string;
  readonly output: Json | undefined;
  readonly assign: JsonObject | undefined;
}

interface Guarded extends Flowing {
  readonly retry: readonly Retrier[];
  readonly catch: readonly Catcher[];
}

export interface PassState extends Flowing {
  readonly type: "Pass";
}

export interface WaitState extends Flowing {
  readonly type: "Wait";
  readonly seconds: NumberField | undefined;
  readonly timestamp: string | undefined;
}

export interface SucceedState extends Named {
  readonly type: "Succeed";
  readonly output: Json | undefined;
}

export interface FailState extends Named {
  readonly type: "Fail";
  readonly error: string | undefined;
  readonly cause: string | undefined;
}

export interface ChoiceRule {
  readonly condition: Json;
  readonly next: string;
  readonly output: Json | undefined;
  readonly assign: JsonObject | undefined;
}

/** `output` and `assign` of the state itself count only when no rule matched and `default` is taken. */
export interface ChoiceState extends Named {
  readonly type: "Choice";
  readonly rules: readonly ChoiceRule[];
  readonly default: string | undefined;
  readonly output: Json | undefined;
  readonly assign: JsonObject | undefined;
}

export interface TaskState extends Guarded {
  readonly type: "Task";
  readonly resource: TaskResource;
  readonly arguments: Json | undefined;
  readonly timeoutSeconds: NumberField | undefined;
  readonly heartbeatSeconds: NumberField | undefined;
}

export interface ParallelState extends Guarded {
  readonly type: "Parallel";
  readonly branches: readonly StateSequence[];
  readonly arguments: Json | undefined;
}

export interface ItemReader {
  readonly arguments: Json;
  readonly maxItems: NumberField | undefined;
}

export interface ItemBatcher {
  readonly maxItemsPerBatch: NumberField | undefined;
  readonly maxInputBytesPerBatch: NumberField | undefined;
  readonly batchInput: Json | undefined;
}

export type Transformation = "NONE" | "COMPACT" | "FLATTEN";

/** `arguments` undefined: nothing is written, only the output is formatted. */
export interface ResultWriter {
  readonly arguments: Json | undefined;
  readonly transformation: Transformation;
  readonly lines: boolean;
}

/** What makes a Map distributed; undefined on an inline one. */
export interface Distribution {
  readonly label: string | undefined;
  readonly reader: ItemReader | undefined;
  readonly batcher: ItemBatcher | undefined;
  readonly toleratedFailureCount: NumberField | undefined;
  readonly toleratedFailurePercentage: NumberField | undefined;
  readonly writer: ResultWriter | undefined;
}

export interface MapState extends Guarded {
  readonly type: "Map";
  readonly processor: StateSequence;
  readonly items: Json | undefined;
  readonly itemSelector: Json | undefined;
  readonly maxConcurrency: NumberField | undefined;
  readonly distributed: Distribution | undefined;
}

export type GuardedState = TaskState | ParallelState | MapState;
export type State = PassState | WaitState | SucceedState | FailState | ChoiceState | GuardedState;
