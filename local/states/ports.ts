import { randomUUID } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";

/** Time, so that a test or a simulator drives it. */
export interface Clock {
  now(): Date;
  /** Resolves after `ms` milliseconds; may resolve or reject early once `signal` is aborted. */
  sleep(ms: number, signal: AbortSignal): Promise<void>;
}

/** Randomness: jitter, identifiers and `$random`. */
export interface Randomness {
  /** A number from 0 (included) to 1 (excluded). */
  fraction(): number;
  /** A UUID of version 4. */
  uuid(): string;
}

/** What a Lambda answered: its payload, or the error document of a handler that threw. */
export type InvokeAnswer =
  | { readonly payload: unknown }
  | {
      readonly functionError: {
        readonly errorType: string;
        readonly errorMessage: string;
        readonly trace?: readonly string[];
      };
    };

/** What the interpreter needs of the rest of the account. */
export interface StatesPorts {
  /** Invokes a function by ARN or name. @throws SdkError when the service refuses (`ResourceNotFoundException`, …). */
  invoke(functionArn: string, payload: unknown, signal: AbortSignal): Promise<InvokeAnswer>;
  /**
   * Makes one SDK call, e.g. `sdk("ssm", "sendCommand", {...})`, and gives the answer with its fields in the API's
   * PascalCase. S3 bodies are strings both ways. @throws SdkError when the service refuses.
   */
  sdk(service: string, action: string, args: unknown, signal: AbortSignal): Promise<unknown>;
  readonly clock: Clock;
  readonly random: Randomness;
  /** The account's rates. @default nothing waits */
  readonly pace?: Pace;
}

/** Resolves when the account may do it once more; AWS makes executions wait, it does not fail them. */
export interface Pace {
  /** A state is entered. */
  transition(): Promise<void>;
  /** A Distributed Map starts a child. */
  child(): Promise<void>;
}

export const systemClock: Clock = {
  now: () => new Date(),
  sleep: (ms, signal) => delay(ms, undefined, { signal }),
};

export const systemRandomness: Randomness = { fraction: () => Math.random(), uuid: () => randomUUID() };
