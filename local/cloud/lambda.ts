import { existsSync } from "node:fs";
import { join } from "node:path";
import { Worker } from "node:worker_threads";

export interface FunctionSettings {
  readonly name: string;
  /** Folder of the bundle, as Lambda unpacks it to /var/task. */
  readonly folder: string;
  /** `index.handler` */
  readonly handler: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly timeoutSeconds: number;
  readonly memoryMb: number;
}

/** An error in the shape Lambda reports it. */
export interface FunctionError {
  readonly errorType: string;
  readonly errorMessage: string;
  readonly trace?: readonly string[];
}
export type FunctionAnswer = { readonly payload: unknown } | { readonly error: FunctionError };

export interface WorkerSettings {
  readonly entry: string;
  readonly handlerName: string;
}
export interface WorkerCall {
  readonly event: unknown;
  readonly context: { readonly awsRequestId: string; readonly functionName: string };
}
export type WorkerAnswer = FunctionAnswer;

/**
 * Runs a bundled function in worker threads, each with the function's own environment and nothing of ours. Idle ones are used
 * again, as Lambda does; one that ran out of time is thrown away.
 */
export class LocalFunction {
  readonly #settings: FunctionSettings;
  readonly #entry: string;
  readonly #log: (line: string) => void;
  readonly #idle: Worker[] = [];
  readonly #all = new Set<Worker>();
  #requests = 0;

  /** @throws Error when the bundle has no such file */
  constructor(settings: FunctionSettings, log: (line: string) => void) {
    const file = settings.handler.slice(0, settings.handler.lastIndexOf("."));
    const entry = [".mjs", ".js", ".cjs"].map((ending) => join(settings.folder, file + ending)).find(existsSync);
    if (entry === undefined) throw new Error(`${settings.name}: no ${file}.js or ${file}.mjs in ${settings.folder}`);
    this.#settings = settings;
    this.#entry = entry;
    this.#log = log;
  }

  /** Invokes the function and waits. Errors of the function are answers. */
  async invoke(event: unknown): Promise<FunctionAnswer> {
    const worker = this.#idle.pop() ?? this.#open();
    const awsRequestId = `${this.#settings.name}-${++this.#requests}`;
    const call: WorkerCall = {
      event: JSON.parse(JSON.stringify(event)),
      context: { awsRequestId, functionName: this.#settings.name },
    };
    const answer = await new Promise<FunctionAnswer | "lost">((settle) => {
      const timer = setTimeout(() => settle("lost"), this.#settings.timeoutSeconds * 1000);
      const onMessage = (message: WorkerAnswer) => done(message);
      const onEnd = () => done("lost");
      const done = (result: FunctionAnswer | "lost") => {
        clearTimeout(timer);
        worker.off("message", onMessage);
        worker.off("exit", onEnd);
        settle(result);
      };
      worker.once("message", onMessage);
      worker.once("exit", onEnd);
      worker.postMessage(call);
    });
    if (answer !== "lost") {
      this.#idle.push(worker);
      return answer;
    }
    this.#all.delete(worker);
    await worker.terminate();
    const errorMessage = `${awsRequestId} Task timed out after ${this.#settings.timeoutSeconds.toFixed(2)} seconds`;
    return { error: { errorType: "Sandbox.Timedout", errorMessage } };
  }

  /** Ends every execution environment. */
  async close(): Promise<void> {
    await Promise.all([...this.#all].map((worker) => worker.terminate()));
    this.#all.clear();
    this.#idle.length = 0;
  }

  #open(): Worker {
    const { environment, name, handler, memoryMb } = this.#settings;
    const settings: WorkerSettings = { entry: this.#entry, handlerName: handler.slice(handler.lastIndexOf(".") + 1) };
    const worker = new Worker(new URL("./lambda-worker.ts", import.meta.url), {
      workerData: settings,
      env: {
        ...environment,
        AWS_LAMBDA_FUNCTION_NAME: name,
        AWS_LAMBDA_FUNCTION_MEMORY_SIZE: String(memoryMb),
        TZ: ":UTC",
      },
      resourceLimits: { maxOldGenerationSizeMb: memoryMb },
      stdout: true,
      stderr: true,
    });
    for (const stream of [worker.stdout, worker.stderr]) {
      stream.on("data", (chunk: Buffer) => {
        for (const line of chunk.toString("utf8").trimEnd().split("\n")) this.#log(`${name}: ${line}`);
      });
    }
    // A crash outside a call is no answer to any; the next call opens another.
    worker.on("error", (error) => this.#log(`${name}: ${String(error)}`));
    worker.unref();
    this.#all.add(worker);
    return worker;
  }
}
