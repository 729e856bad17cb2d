import type { DatabaseSync } from "node:sqlite";
import * as z from "zod";
import type { StepResult } from "../../contract/envelope.ts";
import { HOST_PATHS } from "../../contract/names.ts";
import { StepName } from "../../contract/steps.ts";
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
  return readOperations(machine, "ORDER BY id DESC LIMIT ?", limit);
}

/** Operations that began since a time, oldest first. */
export function operationsSince(machine: Machine, since: Date): Operation[] {
  return readOperations(machine, "WHERE startedAt >= ? ORDER BY id", since.toISOString());
}

function readOperations(machine: Machine, which: string, value: string | number): Operation[] {
  const database = openHistory(machine);
  try {
    const columns = Object.keys(Operation.shape).join(", ");
    const rows = database.prepare(`SELECT ${columns} FROM operations ${which}`).all(value);
    return z.array(Operation).parse(rows.map((row) => ({ ...row })));
  } finally {
    database.close();
  }
}

/** Drops what is older than some days and gives the room back. @returns how many operations were dropped */
export function compactHistory(machine: Machine, days: number): number {
  const database = openHistory(machine);
  try {
    const before = new Date(machine.clock.now().getTime() - days * 86_400_000).toISOString();
    const { changes } = database.prepare("DELETE FROM operations WHERE startedAt < ?").run(before);
    database.exec("VACUUM");
    return Number(changes);
  } finally {
    database.close();
  }
}

/** What brings a host up to date; a dry run has another name. */
const UPDATES = ["install", "install.sh", "commit", "auto-update", "full-update"] as const;

/** When an update last ended well, having found something to do or not; null when none ever did. */
export function lastUpdate(machine: Machine): Date | null {
  const database = openHistory(machine);
  try {
    const row = database
      .prepare(
        `SELECT startedAt, durationMs FROM operations WHERE operation IN (${UPDATES.map(() => "?").join(", ")})
          AND outcome IN ('succeeded', 'rebootRequired', 'nothingToDo') ORDER BY id DESC LIMIT 1`,
      )
      .get(...UPDATES);
    if (row === undefined) return null;
    const { startedAt, durationMs } = Operation.pick({ startedAt: true, durationMs: true }).parse({ ...row });
    return new Date(Date.parse(startedAt) + durationMs);
  } finally {
    database.close();
  }
}

/** Milliseconds that each step took when it was last done, as a step or as the program of that name. */
export function lastDurations(machine: Machine): Map<StepName, number> {
  const database = openHistory(machine);
  try {
    const rows = database
      .prepare(
        "SELECT operation, durationMs FROM operations WHERE id IN (SELECT MAX(id) FROM operations GROUP BY operation) ORDER BY id",
      )
      .all();
    const found = new Map<StepName, number>();
    for (const row of rows) {
      const { operation, durationMs } = Operation.pick({ operation: true, durationMs: true }).parse({ ...row });
      const step = StepName.safeParse(operation.replace(/\.sh$/, ""));
      if (step.success) found.set(step.data, durationMs);
    }
    return found;
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
