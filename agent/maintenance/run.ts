import { realpathSync } from "node:fs";
import { asFailure } from "../../contract/failures.ts";
import { HOST_PATHS } from "../../contract/names.ts";
import { fileTime } from "../host/clock.ts";
import type { Config } from "../host/config.ts";
import { ownFolder, writeOwn } from "../host/files.ts";
import type { Machine } from "../host/machine.ts";
import { sendAlert } from "../telemetry/alert.ts";
import { CODE } from "./code.ts";
import { type MaintenanceReport, maintenanceProblem, maintenanceText, type TaskReport } from "./report.ts";
import { type Kind, type Task, tasksOf } from "./tasks.ts";

export interface MaintenanceRequest {
  readonly kind: Kind;
  readonly windowMinutes: number;
  readonly config: Config;
  /** How this agent calls itself. @default this very executable */
  readonly agent?: readonly [file: string, ...args: string[]];
}

const DETAIL_LINES = 12;

/** Does the maintenance of a kind, tells the topic of what went wrong, and keeps the report of all in the log folder. */
export async function maintain(machine: Machine, request: MaintenanceRequest): Promise<MaintenanceReport> {
  const done = await doTasks(machine, request);
  const problem = maintenanceProblem(done);
  const what = `${done.kind} maintenance ${done.overrunSeconds > 0 ? "overran its window" : "failed"}`;
  const text = `${problem}\n\n${maintenanceText({ ...done, alert: null })}`;
  const alert = problem === null ? null : await sendAlert(machine, request.config, what, text);
  const report = { ...done, alert };
  ownFolder(machine, HOST_PATHS.logs);
  const path = `${HOST_PATHS.logs}/maintenance_${done.kind}_${fileTime(new Date(done.startedAt))}.txt`;
  writeOwn(machine, path, maintenanceText(report));
  return report;
}

/**
 * Does the tasks of a kind in order. One that fails does not stop the others; once the window is over none is begun, and what is being
 * done may end by its own deadline.
 */
async function doTasks(machine: Machine, request: MaintenanceRequest): Promise<Omit<MaintenanceReport, "alert">> {
  const { kind, windowMinutes, config } = request;
  const began = machine.clock.now();
  const end = began.getTime() + windowMinutes * 60_000;
  const tasks: TaskReport[] = [];
  for (const task of tasksOf(kind, config)) {
    const now = machine.clock.now();
    if (now.getTime() >= end) tasks.push(skipped(task, now));
    else {
      machine.log.info(`${kind} maintenance: ${task.title}`);
      tasks.push(await carriedOut(machine, request, task, now));
    }
  }
  const finished = machine.clock.now();
  return {
    kind,
    windowMinutes,
    startedAt: began.toISOString(),
    finishedAt: finished.toISOString(),
    overrunSeconds: Math.max(0, Math.ceil((finished.getTime() - end) / 1_000)),
    tasks,
  };
}

async function carriedOut(machine: Machine, request: MaintenanceRequest, task: Task, at: Date): Promise<TaskReport> {
  let outcome: TaskReport["outcome"] = "done";
  let said: string;
  try {
    const result = await work(machine, request, task);
    said = result.text;
    if (!result.good) outcome = "failed";
  } catch (error) {
    outcome = "failed";
    said = asFailure(error).message;
  }
  const file = outcome === "done" && task.keeps !== undefined ? keep(machine, task.keeps, at, said) : null;
  return {
    name: task.name,
    title: task.title,
    outcome,
    startedAt: at.toISOString(),
    seconds: Math.round((machine.clock.now().getTime() - at.getTime()) / 1_000),
    detail: file === null ? detailOf(said, outcome) : "",
    file,
  };
}

/** What was said first, where our programs say what it came to; of a call that failed its own error message, else its last lines. Pure. */
export function detailOf(said: string, outcome: TaskReport["outcome"]): string {
  const lines = said.trim().split("\n");
  if (outcome !== "failed") return lines.slice(0, DETAIL_LINES).join("\n");
  const at = lines.findLastIndex((line) => line.startsWith("autopatch: "));
  return (at === -1 ? lines.slice(-DETAIL_LINES) : lines.slice(at, at + DETAIL_LINES)).join("\n");
}

/** What a task said, and whether it went well. */
async function work(
  machine: Machine,
  request: MaintenanceRequest,
  task: Task,
): Promise<{ text: string; good: boolean }> {
  const deadlineMs = task.minutes * 60_000;
  if (task.work.by === "code") {
    const found = await CODE[task.work.name]({
      machine,
      config: request.config,
      ask: (...args) => ask(machine, request, args, deadlineMs),
    });
    return { text: found.text, good: found.problem === null };
  }
  if (task.work.by === "agent") return await ask(machine, request, task.work.args, deadlineMs);
  return await run(machine, task.work.file, task.work.args, deadlineMs);
}

async function ask(machine: Machine, request: MaintenanceRequest, args: readonly string[], deadlineMs: number) {
  const [file, ...own] = request.agent ?? [realpathSync(process.execPath)];
  return await run(machine, file, [...own, ...args], deadlineMs);
}

async function run(machine: Machine, file: string, args: readonly string[], deadlineMs: number) {
  const result = await machine.exec(file, args, { deadlineMs });
  const good = result.exitCode === 0;
  const why = result.timedOut
    ? `ended after ${deadlineMs / 60_000} minutes`
    : `exit ${result.exitCode ?? result.signal}`;
  // Logs come on stderr: of a call that went well only its answer counts.
  return { text: good ? result.stdout : `${result.stdout}${why}\n${result.stderr}`, good };
}

function keep(machine: Machine, keeps: NonNullable<Task["keeps"]>, at: Date, text: string): string {
  ownFolder(machine, HOST_PATHS.logs);
  const path = `${HOST_PATHS.logs}/${keeps.file}_${fileTime(at)}.${keeps.ending}`;
  writeOwn(machine, path, text);
  return path;
}

function skipped({ name, title }: Task, now: Date): TaskReport {
  return {
    name,
    title,
    outcome: "skipped",
    startedAt: now.toISOString(),
    seconds: 0,
    detail: "the window was over",
    file: null,
  };
}
