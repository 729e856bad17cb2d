import { appendFileSync, closeSync, constants, openSync } from "node:fs";
import { type Failure, VIOLATION_MARKER } from "../../contract/failures.ts";
import { HOST_PATHS } from "../../contract/names.ts";
import { onMachine, ownFolder } from "./files.ts";
import type { Clock, Log } from "./machine.ts";

export const LOG_LEVELS = ["debug", "info", "warn", "error"] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

interface LogOptions {
  readonly root: string;
  readonly clock: Clock;
  /** Name of the program: it has a log file of its own beside autopatch-manager.log. */
  readonly program: string;
  /** Least level that is written. @default info */
  readonly level?: LogLevel;
  /** Least level that reaches stderr too. @default as level */
  readonly stderrLevel?: LogLevel;
  readonly stderr: (line: string) => void;
}

/**
 * A log to stderr and to /var/log/autopatch. The marker of a violation is written to autopatch-manager.log alone: what counts it
 * reads every file of the folder, and each violation is to count once.
 */
export function openLog(options: LogOptions): Log {
  const level = LOG_LEVELS.indexOf(options.level ?? "info");
  const stderrLevel = LOG_LEVELS.indexOf(options.stderrLevel ?? options.level ?? "info");
  let files: boolean | undefined;
  const append = (name: string, line: string) => {
    if (files === false) return;
    try {
      if (files === undefined) ownFolder(options, HOST_PATHS.logs);
      files = true;
      appendLine(onMachine(options, `${HOST_PATHS.logs}/${name}`), line);
    } catch (error) {
      // A log that cannot be written must not stop a patch or hide its answer; it is said once.
      files = false;
      options.stderr(`autopatch: ${HOST_PATHS.logs} cannot be written: ${(error as Error).message}`);
    }
  };
  const write = (name: (typeof LOG_LEVELS)[number], message: string, marker = "") => {
    const rank = LOG_LEVELS.indexOf(name);
    const head = `${options.clock.now().toISOString()} ${name.toUpperCase().padEnd(5)} ${options.program}[${process.pid}]`;
    // One message, one line: text that came from outside cannot pass for a line of its own.
    const text = message.replace(/\s*\n\s*/g, " | ");
    if (rank >= stderrLevel) options.stderr(`${head}: ${marker}${text}`);
    if (rank < level) return;
    append("autopatch-manager.log", `${head}: ${marker}${text}`);
    if (options.program !== "manager") append(`${options.program}.log`, `${head}: ${text}`);
  };
  return {
    info: (message) => write("info", message),
    warn: (message) => write("warn", message),
    error: (message) => write("error", message),
    violation: (failure: Failure) => write("error", `${failure.code}: ${failure.message}`, `${VIOLATION_MARKER}: `),
  };
}

function appendLine(full: string, line: string): void {
  const fd = openSync(full, constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT | constants.O_NOFOLLOW, 0o644);
  try {
    appendFileSync(fd, `${line}\n`);
  } finally {
    closeSync(fd);
  }
}
