import type { StepOutcome } from "../../contract/envelope.ts";
import { type Lock, lockDigest } from "../../contract/lock.ts";
import { HOST_PATHS } from "../../contract/names.ts";
import type { StepName } from "../../contract/steps.ts";
import { fileTime } from "../host/clock.ts";
import { ownFolder, writeOwn } from "../host/files.ts";
import type { Machine } from "../host/machine.ts";

/** How an install typed on the host went, step by step. */
export interface InstallSummary {
  readonly runId: string;
  readonly dryRun: boolean;
  readonly lock: Lock;
  readonly startedAt: Date;
  /** Each step with how it went, in a phrase. */
  readonly steps: { readonly step: StepName; readonly how: string }[];
}

/** The text of install_summary_<UTC time>.txt. Pure. */
export function formatInstallSummary(summary: InstallSummary, now: Date): string {
  const { lock, runId, dryRun, startedAt, steps } = summary;
  const seconds = ((now.getTime() - startedAt.getTime()) / 1_000).toFixed(1);
  const lines = [
    `AutoPatch install summary, ${startedAt.toISOString()}, ${seconds} s${dryRun ? ", dry run: nothing was changed" : ""}`,
    `run ${runId}`,
    `lock ${lockDigest(lock)}`,
    ...steps.map(({ step, how }) => `${step}: ${how}`),
    `${lock.entries.length} packages to install`,
    ...lock.entries.map((e) => `  ${e.name} ${e.architecture} ${e.from ?? "(new)"} -> ${e.version}`),
    `${lock.removals.length} packages to remove`,
    ...lock.removals.map((r) => `  ${r.name} ${r.architecture} ${r.version}`),
  ];
  return `${lines.join("\n")}\n`;
}

/** Writes it beside the other logs. */
export function writeInstallSummary(machine: Machine, summary: InstallSummary): void {
  ownFolder(machine, HOST_PATHS.logs);
  const file = `${HOST_PATHS.logs}/install_summary_${fileTime(summary.startedAt)}.txt`;
  writeOwn(machine, file, formatInstallSummary(summary, machine.clock.now()));
}

/** How a step went, in a phrase. Pure. */
export function outcomePhrase(outcome: StepOutcome): string {
  switch (outcome.outcome) {
    case "succeeded":
      return `succeeded ${JSON.stringify(outcome.data)}`;
    case "rebootRequired":
      return `succeeded, a reboot is required: ${outcome.reasons.map((reason) => reason.message).join("; ")}`;
    case "nothingToDo":
      return `nothing to do: ${outcome.message}`;
    case "blocked":
      return `blocked: ${outcome.reasons.map((reason) => reason.message).join("; ")}`;
    case "failed":
      return `failed (${outcome.code})${outcome.rolledBack ? ", rolled back" : ""}: ${outcome.message}`;
  }
}
