import type { DatabaseSync } from "node:sqlite";
import * as z from "zod";
import type { StepResult } from "../../contract/envelope.ts";
import { HOST_PATHS } from "../../contract/names.ts";
import { onMachine, ownFolder } from "../host/files.ts";
import type { Machine } from "../host/machine.ts";

const DATABASE = `${HOST_PATHS.state}/history.db`;

/** One thing the agent did, as it is kept. */
export const Operation = z.object({
  startedAt: z.string(),
  durationMs: z.int(),
  runId: z.string(),
  /** Name of a step, or of a program. */
  operation: z.string(),
  outcome: z.string(),
  /** Failure code; null when it did not fail. */
  code: z.string().nullable(),
  message: z.string().nullable(),
});
export type Operation = z.infer<typeof Operation>;

/** Keeps a step's result in the host's history. A history that cannot be written changes no answer. */
export function recordOperation(machine: Machine, result: StepResult): void {
  const failure = result.outcome === "failed" ? result : null;
  addOperation(machine, {
    startedAt: result.startedAt,
    durationMs: result.durationMs,
    runId: result.runId,
    operation: result.dryRun ? `${result.step} (dry run)` : result.step,
    outcome: result.outcome,
    code: failure?.code ?? null,
    message: failure?.message ?? (result.outcome === "nothingToDo" ? result.message : null),
  });
}

export function addOperation(machine: Machine, operation: Operation): void {
  try {
    const database = openHistory(machine);
    try {
      database
        .prepare(
          "INSERT INTO operations (startedAt, durationMs, runId, operation, outcome, code, message) VALUES (?, ?, ?, ?, ?, ?, ?)",
        )
        .run(
          operation.startedAt,
          operation.durationMs,
          operation.runId,
          operation.operation,
          operation.outcome,
          operation.code,
          operation.message,
        );
    } finally {
      database.close();
    }
  } catch (error) {
    machine.log.warn(`${DATABASE} cannot be written: ${(error as Error).message}`);
  }
}

/** The latest operations, newest first. */
export function lastOperations(machine: Machine, limit: number): Operation[] {
  const database = openHistory(machine);
  try {
    const rows = database
      .prepare(
        "SELECT startedAt, durationMs, runId, operation, outcome, code, message FROM operations ORDER BY id DESC LIMIT ?",
      )
      .all(limit);
    return z.array(Operation).parse(rows.map((row) => ({ ...row })));
  } finally {
    database.close();
  }
}

function openHistory(machine: Machine): DatabaseSync {
  ownFolder(machine, HOST_PATHS.state, 0o700);
  const database = new (sqlite().DatabaseSync)(onMachine(machine, DATABASE));
  database.exec(`PRAGMA busy_timeout = 5000;
    CREATE TABLE IF NOT EXISTS operations (
      id INTEGER PRIMARY KEY,
      startedAt TEXT NOT NULL,
      durationMs INTEGER NOT NULL,
      runId TEXT NOT NULL,
      operation TEXT NOT NULL,
      outcome TEXT NOT NULL,
      code TEXT,
      message TEXT
    )`);
  return database;
}

/** Loaded when needed: most programs never look into the history. */
function sqlite(): typeof import("node:sqlite") {
  return process.getBuiltinModule("node:sqlite");
}
