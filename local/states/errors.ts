/** A definition that cannot be registered: `where` is the path inside it, e.g. `States.Dispatch.Resource`. */
export class DefinitionError extends Error {
  override readonly name = "DefinitionError";
  readonly where: string;
  readonly reason: string;
  constructor(where: string, reason: string) {
    super(`${where}: ${reason}`);
    this.where = where;
    this.reason = reason;
  }
}

/** An API call refused as AWS refuses it; `code` is the exception's name on the wire. */
export class StatesApiError extends Error {
  override readonly name = "StatesApiError";
  readonly code: string;
  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

/**
 * What a port throws when a service refused a call. `code` is the service's exception, with or without its
 * `Exception` ending (`NoSuchBucket`, `ThrottlingException`).
 */
export class SdkError extends Error {
  override readonly name = "SdkError";
  readonly code: string;
  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

/** A state failed: `error` and `cause` are what Retry and Catch match and `$states.errorOutput` shows. */
export class StateFailure extends Error {
  override readonly name = "StateFailure";
  readonly error: string;
  /** Null when AWS names none, as for time-outs; then `$states.errorOutput.Cause` is an empty string. */
  readonly failureCause: string | null;
  /** A task that missed its heartbeat is a States.Timeout that States.HeartbeatTimeout matches too. */
  readonly heartbeat: boolean;
  /** Set for failed evaluations: the field the expression stood in. */
  readonly location: string | undefined;
  /** Set once the history shows the failed evaluation. */
  noted = false;
  constructor(error: string, cause: string | null, more: { heartbeat?: boolean; location?: string } = {}) {
    super(cause === null ? error : `${error}: ${cause}`);
    this.error = error;
    this.failureCause = cause;
    this.heartbeat = more.heartbeat ?? false;
    this.location = more.location;
  }
}

/** The branch was told to stop (StopExecution, time-out of the execution, a sibling that failed). */
export class Aborted extends Error {
  override readonly name = "Aborted";
  constructor() {
    super("aborted");
  }
}

/** The `Error`/`Cause` object of a failure, as Catch hands it on. */
export function errorOutput(failure: StateFailure): { Error: string; Cause: string } {
  return { Error: failure.error, Cause: failure.failureCause ?? "" };
}

/** An SDK exception's error name in a state machine, e.g. `Ssm.InvalidInstanceIdException`. */
export function sdkErrorName(prefix: string, code: string): string {
  return `${prefix}.${code.endsWith("Exception") ? code : `${code}Exception`}`;
}
