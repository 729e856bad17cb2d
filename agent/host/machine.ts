import type { Failure } from "../../contract/failures.ts";
import type { Exec } from "./exec.ts";

export interface Clock {
  now(): Date;
  /** @param ms milliseconds */
  sleep(ms: number): Promise<void>;
}

/** Where the agent says what it does: stderr for whoever called, and its log file under /var/log/autopatch. */
export interface Log {
  info(message: string): void;
  warn(message: string): void;
  error(message: string): void;
  /** A sign of tampering: writes the marker that the seed's exporter and alerts count. */
  violation(failure: Failure): void;
}

/** Everything the agent may ask of the machine it runs on, in one value, so that a test can give it another. */
export interface Machine {
  readonly exec: Exec;
  readonly clock: Clock;
  readonly log: Log;
  /** Folder that stands for `/`; every path the agent reads or writes itself is joined to it. */
  readonly root: string;
}
