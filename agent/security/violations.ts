import { appendFileSync } from "node:fs";
import { type Failure, SECURITY_CODES } from "../../contract/failures.ts";
import { HOST_PATHS } from "../../contract/names.ts";
import { onMachine, ownFolder, readOwn } from "../host/files.ts";
import type { Machine } from "../host/machine.ts";

const RECORD = `${HOST_PATHS.state}/violations.jsonl`;

/** One sign of tampering, as it is kept on the host. */
export interface Violation {
  readonly at: string;
  readonly runId: string;
  readonly code: string;
  readonly message: string;
}

/** Logs a failure with the marker and keeps it, when its code means that somebody may be tampering. */
export function recordViolation(machine: Machine, runId: string, failure: Failure): void {
  if (!SECURITY_CODES.has(failure.code)) return;
  machine.log.violation(failure);
  const violation: Violation = {
    at: machine.clock.now().toISOString(),
    runId,
    code: failure.code,
    message: failure.message,
  };
  try {
    ownFolder(machine, HOST_PATHS.state, 0o700);
    // Reading it first holds the file itself against the same rules.
    readOwn(machine, RECORD);
    appendFileSync(onMachine(machine, RECORD), `${JSON.stringify(violation)}\n`, { mode: 0o600 });
  } catch (error) {
    machine.log.warn(`${RECORD} cannot be written: ${(error as Error).message}`);
  }
}
