import { appendFileSync } from "node:fs";
import * as z from "zod";
import { type Failure, SECURITY_CODES } from "../../contract/failures.ts";
import { HOST_PATHS } from "../../contract/names.ts";
import { onMachine, ownFolder, readOwn } from "../host/files.ts";
import type { Machine } from "../host/machine.ts";

const RECORD = `${HOST_PATHS.state}/violations.jsonl`;

/** One sign of tampering, as it is kept on the host. */
const Violation = z.object({ at: z.string(), runId: z.string(), code: z.string(), message: z.string() });
export type Violation = z.infer<typeof Violation>;

/** What was recorded, oldest first; a line that cannot be read is one too. @throws Failure `pathUnsafe` */
export function readViolations(machine: Pick<Machine, "root">): Violation[] {
  const lines = (readOwn(machine, RECORD) ?? "").split("\n").filter((line) => line !== "");
  return lines.map((line) => {
    try {
      return Violation.parse(JSON.parse(line));
    } catch {
      return { at: "", runId: "", code: "unreadable", message: `${RECORD}: ${line.slice(0, 200)}` };
    }
  });
}

/** A failure is recorded where it is found, and may pass others that record on its way out. */
const recorded = new WeakSet<Failure>();

/** Logs a failure with the marker and keeps it, once, when its code means that somebody may be tampering. */
export function recordViolation(machine: Machine, runId: string, failure: Failure): void {
  if (!SECURITY_CODES.has(failure.code) || recorded.has(failure)) return;
  recorded.add(failure);
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
