import type { Alert } from "../telemetry/alert.ts";
import type { Kind } from "./tasks.ts";

/** How one task went. `skipped` is neither success nor failure: nothing was done, and `detail` says why. */
export interface TaskReport {
  readonly name: string;
  readonly title: string;
  readonly outcome: "done" | "failed" | "skipped";
  readonly startedAt: string;
  readonly seconds: number;
  /** The last lines it said, or what was found. */
  readonly detail: string;
  /** File that holds all it said; null when there is none. */
  readonly file: string | null;
}

export interface MaintenanceReport {
  readonly kind: Kind;
  readonly windowMinutes: number;
  readonly startedAt: string;
  readonly finishedAt: string;
  /** Seconds after the end of the window; 0 when it was kept. */
  readonly overrunSeconds: number;
  readonly tasks: readonly TaskReport[];
  /** What became of the alert; null when nothing was wrong, or the configuration names no topic. */
  readonly alert: Alert | null;
}

/** What went wrong, in a sentence; null when all was done in time. Pure. */
export function maintenanceProblem(report: Omit<MaintenanceReport, "alert">): string | null {
  const { tasks, overrunSeconds, windowMinutes } = report;
  const failed = tasks
    .filter((task) => task.outcome === "failed")
    .map(({ name, detail }) => `${name}: ${detail.split("\n", 1)[0]}`);
  const late = tasks.filter((task) => task.outcome === "skipped").map((task) => task.name);
  const said = [
    ...(failed.length > 0 ? [failed.join("; ")] : []),
    ...(overrunSeconds > 0 ? [`the window of ${windowMinutes} minutes was overrun by ${overrunSeconds} s`] : []),
    ...(late.length > 0 ? [`not begun: ${late.join(", ")}`] : []),
  ];
  return said.length === 0 ? null : said.join(". ");
}

const WORDS = { done: "done", failed: "FAILED", skipped: "not begun" } as const;

/** The report for people. Pure. */
export function maintenanceText(report: MaintenanceReport): string {
  const { kind, windowMinutes, startedAt, finishedAt, overrunSeconds, tasks, alert } = report;
  const minutes = (Date.parse(finishedAt) - Date.parse(startedAt)) / 60_000;
  const lines = [
    `AutoPatch ${kind} maintenance, ${startedAt}`,
    `window ${windowMinutes} minutes, used ${minutes.toFixed(1)}${overrunSeconds > 0 ? `: OVERRUN by ${overrunSeconds} s` : ""}`,
    ...tasks.flatMap((task) => [
      `${WORDS[task.outcome].padEnd(10)}${task.title} (${task.name}), ${task.seconds} s`,
      ...task.detail
        .split("\n")
        .filter((line) => line.trim() !== "")
        .map((line) => `    ${line}`),
      ...(task.file === null ? [] : [`    in full: ${task.file}`]),
    ]),
    ...(alert === null ? [] : [alertLine(alert)]),
  ];
  return `${lines.join("\n")}\n`;
}

function alertLine({ topicArn, messageId, problem }: Alert): string {
  return problem === null ? `alerted ${topicArn}, message ${messageId}` : `NOT alerted ${topicArn}: ${problem}`;
}
