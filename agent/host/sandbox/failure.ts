export type SandboxFailureCode =
  /** Neither root nor a user namespace with a range of ids. */
  | "privilegeMissing"
  /** No folder has the room the upper layers need. */
  | "spaceMissing"
  /** A layer or folder cannot be part of an overlay. */
  | "layerUnusable"
  /** The kernel refused a mount or a namespace. */
  | "startFailed"
  /** The sandbox is closed, or its PID 1 is gone. */
  | "ended";

/** Why there is no sandbox. The message names the thing, the value and the way out. */
export class SandboxFailure extends Error {
  override readonly name = "SandboxFailure";
  readonly code: SandboxFailureCode;

  constructor(code: SandboxFailureCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
