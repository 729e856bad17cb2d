import { type ChildProcess, spawn } from "node:child_process";
import type { Writable } from "node:stream";

/** How a process is to run. Arguments are always a list: nothing here ever reaches a shell. */
export interface ExecOptions {
  /** Milliseconds until the whole process group gets SIGKILL. There is no call without one. */
  readonly deadlineMs: number;
  /** The complete environment; LC_ALL=C is added unless it is set here. @default PATH and HOME of this process */
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** Written to stdin as fast as the child reads, then stdin is closed. @default stdin is /dev/null */
  readonly input?: string | Uint8Array | AsyncIterable<Uint8Array>;
  /** Bytes kept of stdout and of stderr; what exceeds it is dropped from the front, so that the last lines stay. @default 16 MiB */
  readonly maxOutputBytes?: number;
  /** Called with each chunk of stderr as it comes, for progress. */
  readonly onStderr?: (chunk: string) => void;
  /** Called with each chunk of stdout as it comes, for progress. */
  readonly onStdout?: (chunk: string) => void;
  /**
   * Takes stdout as it comes, byte for byte; nothing of it is kept then. While a promise it returned is open no more is read, but
   * for what the child had written when it exited. An error it throws, or one of `input`, ends the process group and is thrown by the call.
   */
  readonly onBytes?: (chunk: Buffer) => void | Promise<void>;
  /** Ends the process group early when aborted. */
  readonly signal?: AbortSignal;
}

/** What a process did. Never thrown: a command that fails is an answer, and the caller knows what it means. */
export interface ExecResult {
  readonly command: readonly string[];
  /** Null when it was ended by a signal. */
  readonly exitCode: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly timedOut: boolean;
  readonly stdout: string;
  readonly stderr: string;
  readonly durationMs: number;
}

/** Runs one program by argument list. */
export type Exec = (file: string, args: readonly string[], options: ExecOptions) => Promise<ExecResult>;

/** The program is not there or may not be executed. */
export class CommandNotFound extends Error {
  override readonly name = "CommandNotFound";
  readonly file: string;

  constructor(file: string, cause: unknown) {
    super(`${file}: cannot be started: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
    this.file = file;
  }
}

const DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
const SYSTEM_FOLDERS = ["/usr/sbin", "/usr/bin", "/sbin", "/bin"];

/** cron's own PATH is /usr/bin:/bin: logrotate, ldconfig and nft are not in it, and dpkg refuses to work without what is in sbin. */
function searchPath(): string {
  const folders = (process.env.PATH ?? DEFAULT_PATH).split(":");
  return [...folders, ...SYSTEM_FOLDERS.filter((one) => !folders.includes(one))].join(":");
}

/** The environment of every child: a fixed locale, so that what programs print can be read, and nothing inherited by chance. */
export function childEnvironment(extra: Readonly<Record<string, string>> = {}): Record<string, string> {
  return { PATH: searchPath(), HOME: process.env.HOME ?? "/root", LC_ALL: "C", ...extra };
}

/**
 * Runs a program in a process group of its own and waits for it.
 * @throws CommandNotFound when it cannot be started; every other end is in the result.
 */
export const exec: Exec = async (file, args, options) => {
  const startedAt = performance.now();
  const child = spawn(file, [...args], {
    cwd: options.cwd,
    env: options.env === undefined ? childEnvironment() : { LC_ALL: "C", ...options.env },
    stdio: [options.input === undefined ? "ignore" : "pipe", "pipe", "pipe"],
    detached: true,
  });
  const limit = options.maxOutputBytes ?? 16 * 1024 * 1024;
  let broken: { readonly error: unknown } | null = null;
  const fail = (error: unknown) => {
    broken ??= { error };
    stop();
  };
  const { onBytes } = options;
  const stdout = onBytes === undefined ? keepTail(child.stdout, limit, options.onStdout) : () => "";
  if (onBytes !== undefined) passOn(child.stdout, onBytes, fail);
  const stderr = keepTail(child.stderr, limit, options.onStderr);
  let timedOut = false;
  const timer = setTimeout(() => {
    timedOut = true;
    stop();
  }, options.deadlineMs);
  const stop = () => {
    killGroup(child);
    // A grandchild in a session of its own may still hold the pipes: the answer does not wait for it.
    setTimeout(() => {
      child.stdout?.destroy();
      child.stderr?.destroy();
    }, 500).unref();
  };
  const onAbort = stop;
  if (options.signal?.aborted === true) stop();
  options.signal?.addEventListener("abort", onAbort, { once: true });
  running.add(child);
  if (options.input !== undefined) {
    // A child that exits without reading its input is its own affair: its exit code tells.
    child.stdin?.on("error", () => {});
    if (typeof options.input === "string" || options.input instanceof Uint8Array) child.stdin?.end(options.input);
    else if (child.stdin !== null) feed(child.stdin, options.input).catch(fail);
  }
  try {
    const [exitCode, signal] = await ended(child, file);
    if (broken !== null) throw (broken as { error: unknown }).error;
    return {
      command: [file, ...args],
      exitCode,
      signal,
      timedOut,
      stdout: stdout(),
      stderr: stderr(),
      durationMs: Math.round(performance.now() - startedAt),
    };
  } finally {
    running.delete(child);
    clearTimeout(timer);
    options.signal?.removeEventListener("abort", onAbort);
  }
};

/**
 * Runs a program and hands its stdout, as it comes, to a reader that may stop before the end; then, or at the deadline, its
 * process group gets SIGKILL. How it ended is not judged: a reader that wants the whole must know the end when it sees it.
 * @throws CommandNotFound when it cannot be started, and what the reader throws
 */
export async function readOutput<T>(
  file: string,
  args: readonly string[],
  options: Pick<ExecOptions, "deadlineMs">,
  read: (stdout: AsyncIterable<Buffer>) => Promise<T>,
): Promise<T> {
  const child = spawn(file, [...args], {
    env: childEnvironment(),
    stdio: ["ignore", "pipe", "ignore"],
    detached: true,
  });
  const stop = () => {
    if (child.exitCode === null && child.signalCode === null) killGroup(child);
  };
  const timer = setTimeout(stop, options.deadlineMs);
  running.add(child);
  const missing = new Promise<never>((_, reject) => {
    child.once("error", (error) => reject(new CommandNotFound(file, error)));
  });
  try {
    return await Promise.race([read(child.stdout), missing]);
  } finally {
    clearTimeout(timer);
    stop();
    running.delete(child);
  }
}

/** Children of `exec` that have not ended. They are in process groups of their own, so that a signal to us does not reach them. */
const running = new Set<ChildProcess>();

/** SIGKILL to everything that `exec` has running: for a program that was told to stop. */
export function killRunning(): void {
  for (const child of running) killGroup(child);
}

/** Starts a program that outlives the call; the caller ends it by `killGroup`. Its output goes where `stdio` says. */
export function start(
  file: string,
  args: readonly string[],
  options: { env?: Readonly<Record<string, string>>; cwd?: string; stdio: ("ignore" | "pipe" | "inherit" | number)[] },
): ChildProcess {
  return spawn(file, [...args], {
    cwd: options.cwd,
    env: options.env === undefined ? childEnvironment() : { LC_ALL: "C", ...options.env },
    stdio: options.stdio,
    detached: true,
  });
}

/** SIGKILL to a child and everything it started that stayed in its process group. */
export function killGroup(child: ChildProcess): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, "SIGKILL");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}

function ended(child: ChildProcess, file: string): Promise<[number | null, NodeJS.Signals | null]> {
  return new Promise((resolve, reject) => {
    child.once("error", (error) => reject(new CommandNotFound(file, error)));
    child.once("close", (exitCode, signal) => resolve([exitCode, signal]));
  });
}

function passOn(
  stream: NodeJS.ReadableStream | null,
  onBytes: (chunk: Buffer) => void | Promise<void>,
  fail: (error: unknown) => void,
): void {
  stream?.on("data", (chunk: Buffer) => {
    try {
      const busy = onBytes(chunk);
      if (busy === undefined) return;
      stream.pause();
      busy.then(() => stream.resume(), fail);
    } catch (error) {
      fail(error);
    }
  });
}

async function feed(stdin: Writable, source: AsyncIterable<Uint8Array>): Promise<void> {
  let goOn = () => {};
  for (const event of ["drain", "close"]) stdin.on(event, () => goOn());
  for await (const bytes of source) {
    // The child has ended, or reads no more.
    if (stdin.destroyed) return;
    if (stdin.write(bytes) || stdin.destroyed) continue;
    await new Promise<void>((resolve) => {
      goOn = resolve;
    });
  }
  stdin.end();
}

function keepTail(
  stream: NodeJS.ReadableStream | null,
  limit: number,
  onChunk: ((chunk: string) => void) | undefined,
): () => string {
  let chunks: Buffer[] = [];
  let size = 0;
  stream?.on("data", (chunk: Buffer) => {
    onChunk?.(chunk.toString("utf8"));
    chunks.push(chunk);
    size += chunk.length;
    if (size > 2 * limit) {
      chunks = [Buffer.concat(chunks).subarray(-limit)];
      size = limit;
    }
  });
  return () => {
    const whole = Buffer.concat(chunks);
    return whole.subarray(Math.max(0, whole.length - limit)).toString("utf8");
  };
}
