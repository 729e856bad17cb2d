import { type DocumentResult, runDocument } from "../../../local/run-command/document/run-document.ts";
import type { AgentHost } from "../../../local/run-command/document/script.ts";

export const COMMAND = "5a8e4b1c-0d3f-4c55-9d1e-7f1b6c2a9e10";

export interface Given {
  /** Steps of the document; aws:runShellScript and step0, step1, … unless they say otherwise. */
  readonly steps: readonly Record<string, unknown>[];
  /** Parameters as the document defines them. @default none */
  readonly definitions?: Record<string, unknown>;
  /** Values sent. @default none */
  readonly parameters?: Record<string, string[]>;
  /** @default the host as it is */
  readonly on?: AgentHost;
  readonly signal?: AbortSignal;
}

/** Runs a document of these steps on a host. */
export function runSteps(host: AgentHost, given: Given): Promise<DocumentResult> {
  const { steps, definitions = {}, parameters = {}, on = host, signal } = given;
  const mainSteps = steps.map((step, index) => ({ action: "aws:runShellScript", name: `step${index}`, ...step }));
  return runDocument({
    document: { schemaVersion: "2.2", parameters: definitions, mainSteps },
    parameters,
    commandId: COMMAND,
    host: on,
    now: () => new Date(0),
    ...(signal === undefined ? {} : { signal }),
  });
}

/** Status, exit code, stdout and stderr of each step. */
export function answers(result: DocumentResult): unknown[][] {
  return result.steps.map((s) => [s.status, s.exitCode, s.stdout, s.stderr]);
}

/** A step that runs these commands. */
export function shell(...runCommand: string[]) {
  return { inputs: { runCommand } };
}
