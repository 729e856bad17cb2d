import { pathToFileURL } from "node:url";
import { parentPort, workerData } from "node:worker_threads";
import type { WorkerAnswer, WorkerCall, WorkerSettings } from "./lambda.ts";

/** One execution environment of a function: loads the bundle once, then answers one event at a time, as Lambda's runtime does. */
const { entry, handlerName } = workerData as WorkerSettings;
const loading = import(pathToFileURL(entry).href) as Promise<
  Record<string, unknown> & { default?: Record<string, unknown> }
>;

parentPort?.on("message", async ({ event, context }: WorkerCall) => {
  parentPort?.postMessage(await answer(event, context));
});

async function answer(event: unknown, context: WorkerCall["context"]): Promise<WorkerAnswer> {
  try {
    const module = await loading;
    const handler = module[handlerName] ?? module.default?.[handlerName];
    if (typeof handler !== "function") {
      return { error: { errorType: "Runtime.HandlerNotFound", errorMessage: `${entry} exports no ${handlerName}` } };
    }
    const payload: unknown = await handler(event, context);
    return { payload: payload === undefined ? null : JSON.parse(JSON.stringify(payload)) };
  } catch (error) {
    const known = error instanceof Error ? error : new Error(String(error));
    return {
      error: { errorType: known.name, errorMessage: known.message, trace: (known.stack ?? "").split("\n") },
    };
  }
}
