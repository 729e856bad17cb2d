export type HostsFailureCode =
  /** A program of the machine is not installed. */
  | "toolMissing"
  /** The machine's apt configuration has no Debian archive to take packages from. */
  | "archiveMissing"
  /** The archive does not answer, or not as it should. */
  | "registryUnreachable"
  | "spaceMissing"
  /** A program that had to succeed did not. */
  | "commandFailed";

/** Why there is no base, no repository or no host. The message names the thing, the value and the way out. */
export class HostsFailure extends Error {
  override readonly name = "HostsFailure";
  readonly code: HostsFailureCode;

  constructor(code: HostsFailureCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
