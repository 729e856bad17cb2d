import { Aborted, StateFailure, StatesApiError } from "./errors.ts";
import { MAX_PAYLOAD_BYTES } from "./history.ts";
import type { Json } from "./json.ts";
import type { Clock } from "./ports.ts";
import { pause } from "./waiting.ts";

interface OpenTask {
  readonly succeed: (output: Json) => void;
  readonly fail: (failure: StateFailure) => void;
  beatAt: number;
}

/** The task tokens of all executions: open ones wait for an answer, used ones are remembered as closed. */
export class TaskTokens {
  private readonly tasks = new Map<string, OpenTask | "closed">();
  private readonly clock: Clock;

  constructor(clock: Clock) {
    this.clock = clock;
  }

  /**
   * Opens a token and gives what it will be answered with. With `heartbeatMs` each silence longer than that fails the
   * task. Closing (by answer, failure or the signal) is final. @throws StateFailure, Aborted through the promise.
   */
  open(token: string, heartbeatMs: number | undefined, signal: AbortSignal): Promise<Json> {
    const { promise, resolve, reject } = Promise.withResolvers<Json>();
    const task: OpenTask = { succeed: resolve, fail: reject, beatAt: this.clock.now().getTime() };
    this.tasks.set(token, task);
    const close = () => {
      this.tasks.set(token, "closed");
      reject(new Aborted());
    };
    if (signal.aborted) close();
    signal.addEventListener("abort", close, { once: true });
    if (heartbeatMs !== undefined) this.watch(token, task, heartbeatMs, signal);
    return promise.finally(() => {
      this.tasks.set(token, "closed");
      signal.removeEventListener("abort", close);
    });
  }

  private async watch(token: string, task: OpenTask, heartbeatMs: number, signal: AbortSignal): Promise<void> {
    try {
      while (this.tasks.get(token) === task) {
        const left = task.beatAt + heartbeatMs - this.clock.now().getTime();
        if (left <= 0) return task.fail(new StateFailure("States.Timeout", null, { heartbeat: true }));
        await pause(this.clock, left, signal);
      }
    } catch (error) {
      if (!(error instanceof Aborted)) task.fail(new StateFailure("States.Runtime", String(error)));
    }
  }

  /** @throws StatesApiError InvalidToken, TaskTimedOut, InvalidOutput, ValidationException */
  succeed(token: string, output: string): void {
    const task = this.take(token);
    if (Buffer.byteLength(output, "utf8") > MAX_PAYLOAD_BYTES) {
      throw new StatesApiError("ValidationException", `output is longer than ${MAX_PAYLOAD_BYTES} bytes`);
    }
    let value: Json;
    try {
      value = JSON.parse(output) as Json;
    } catch (error) {
      throw new StatesApiError("InvalidOutput", `Invalid Output: '${(error as Error).message}'`);
    }
    this.tasks.set(token, "closed");
    task.succeed(value);
  }

  /** @throws StatesApiError InvalidToken, TaskTimedOut */
  fail(token: string, error: string | undefined, cause: string | undefined): void {
    const task = this.take(token);
    this.tasks.set(token, "closed");
    task.fail(new StateFailure(error ?? "States.TaskFailed", cause ?? null));
  }

  /** @throws StatesApiError InvalidToken, TaskTimedOut */
  heartbeat(token: string): void {
    this.take(token).beatAt = this.clock.now().getTime();
  }

  private take(token: string): OpenTask {
    const task = this.tasks.get(token);
    if (task === undefined) throw new StatesApiError("InvalidToken", "Invalid Token: 'Invalid token'");
    if (task === "closed") {
      throw new StatesApiError("TaskTimedOut", "Task Timed Out: 'Provided task does not exist anymore'");
    }
    return task;
  }
}
