import { type CommandDocument, DocumentRefused, type DocumentStep, NotModelled, readDocument } from "./document.ts";
import { cutStream, summariseOutput } from "./output.ts";
import { bindParameters, substitute, type Values } from "./parameters.ts";
import { decideStep } from "./precondition.ts";
import { type AgentHost, NO_POWERSHELL, runScript, type ScriptEnd } from "./script.ts";
import { readShellInputs, steering } from "./step-inputs.ts";

/** `NotReported`: the document was refused before the step could be looked at. */
export type StepStatus = "Success" | "Failed" | "TimedOut" | "Cancelled" | "Skipped" | "InProgress" | "NotReported";
/** `InProgress`: given up after too many reboots; the agent says nothing more and the service's own time-out ends it. */
export type DocumentStatus = "Success" | "Failed" | "TimedOut" | "Cancelled" | "InProgress";

export interface StepResult {
  readonly name: string;
  readonly action: string;
  readonly status: StepStatus;
  /** Null when not reported. */
  readonly exitCode: number | null;
  /** At most 24,000 bytes; null when not reported. */
  readonly stdout: string | null;
  readonly stderr: string | null;
  /** Both streams, or why the step did not run; at most 2,500 bytes of output. */
  readonly summary: string;
  readonly startedAt: Date | null;
  readonly endedAt: Date | null;
}

export interface DocumentResult {
  readonly status: DocumentStatus;
  readonly steps: readonly StepResult[];
  /** Why the document was refused; empty otherwise. */
  readonly trace: string;
}

export interface DocumentRun {
  /** Content of the document, parsed from JSON. */
  readonly document: unknown;
  readonly parameters: Readonly<Record<string, readonly string[]>>;
  readonly commandId: string;
  readonly host: AgentHost;
  readonly now: () => Date;
  /** Cancels the command: the running script is killed, later steps count as cancelled. @default never */
  readonly signal?: AbortSignal;
  /** Called as each step ends. */
  readonly onStep?: (step: StepResult) => void;
}

const REBOOT_EXIT_CODE = 194;
const SUCCEED_AND_SKIP = 168;
const FAIL_AND_SKIP = 169;
/** The agent resumes a document 15 times after the first run. */
const MAX_RUNS = 16;

/**
 * Runs a Command document on a host and answers as the agent reports it: a failing step does not stop later ones unless the
 * document says so, exit code 194 reboots and runs the step again, 168 and 169 end the document.
 * @throws NotModelled naming a schema version or plugin that the real agent has and the local one has not
 */
export async function runDocument(run: DocumentRun): Promise<DocumentResult> {
  let document: CommandDocument;
  let values: Values;
  try {
    document = readDocument(run.document);
    values = bindParameters(document.parameters, run.parameters);
    refuseParameterStore([...document.mainSteps.map((step) => step.inputs), ...values.values()]);
    if (document.mainSteps.length === 0) throw new DocumentRefused("Unsupported schema format");
  } catch (error) {
    if (error instanceof DocumentRefused) return refused(run.document, error.message);
    throw error;
  }
  const reboots = { left: MAX_RUNS - 1 };
  const done: StepResult[] = [];
  let skipRest = false;
  for (const [index, step] of document.mainSteps.entries()) {
    const inputs = substitute(step.inputs, values);
    const isFinally = steering(inputs, "finallyStep") === "true" && index === document.mainSteps.length - 1;
    const startedAt = run.now();
    const end = skipRest && !isFinally ? skippedByControlFlow(step) : await runStep(run, step, inputs, values, reboots);
    const result: StepResult = { name: step.name, action: step.action, ...end, startedAt, endedAt: run.now() };
    done.push(result);
    run.onStep?.(result);
    if (result.status === "InProgress") break;
    skipRest ||= endsDocument(inputs, result);
  }
  return { status: documentStatus(done), steps: done, trace: "" };
}

/** The agent would ask Parameter Store for the value. @throws NotModelled naming the reference */
function refuseParameterStore(texts: readonly unknown[]): void {
  const found = /\{\{ *ssm:[/\w.:-]+ *\}\}/.exec(JSON.stringify(texts));
  if (found !== null) throw new NotModelled(`${found[0]}: Parameter Store is not asked by the local stack`);
}

type StepEnd = Pick<StepResult, "status" | "exitCode" | "stdout" | "stderr" | "summary">;

async function runStep(
  run: DocumentRun,
  step: DocumentStep,
  inputs: unknown,
  values: Values,
  reboots: { left: number },
): Promise<StepEnd> {
  const decision = decideStep(step, values, run.host.platform.type);
  if (!decision.run) {
    const exitCode = decision.status === "Failed" ? 1 : 0;
    return { status: decision.status, exitCode, stdout: "", stderr: "", summary: decision.message };
  }
  const signal = run.signal ?? new AbortController().signal;
  if (signal.aborted) return { status: "Cancelled", exitCode: 1, stdout: "", stderr: "", summary: "" };
  const read = readShellInputs(inputs);
  if ("invalid" in read)
    return judge({ exitCode: 1, stdout: "", stderr: read.invalid, stopped: null, error: null }, inputs);
  if (step.action === "aws:runPowerShellScript") return judge(NO_POWERSHELL, inputs);
  if (step.action !== "aws:runShellScript") {
    throw new NotModelled(`step ${step.name}: ${step.action} is not run by the local stack`);
  }
  const written = { stdout: "", stderr: "" };
  for (;;) {
    const script = { commandId: run.commandId, name: step.name, inputs: read.inputs };
    const end = await runScript(run.host, script, signal);
    written.stdout += end.stdout;
    written.stderr += end.stderr;
    if (end.exitCode !== REBOOT_EXIT_CODE) return judge({ ...end, ...written }, inputs);
    if (reboots.left === 0) {
      const summary = summariseOutput(written.stdout, written.stderr);
      return { status: "InProgress", exitCode: REBOOT_EXIT_CODE, ...cut(written.stdout, written.stderr), summary };
    }
    reboots.left--;
    await run.host.reboot();
  }
}

/** The status of a script that ended for good, and what the agent adds to its output. */
function judge(end: ScriptEnd, inputs: unknown): StepEnd {
  const stderr =
    end.error === null || end.exitCode === 137 ? end.stderr : `${end.stderr}failed to run commands: ${end.error}`;
  const summary = summariseOutput(end.stdout, end.exitCode === SUCCEED_AND_SKIP ? "" : stderr);
  const answer = (status: StepStatus, exitCode: number, addition: string, error: string): StepEnd => ({
    status,
    exitCode,
    ...cut(end.stdout + addition, error),
    summary,
  });
  const { exitCode } = end;
  if (exitCode === SUCCEED_AND_SKIP) {
    const addition =
      "\nStep exited with code 168. Therefore, marking step as succeeded. Further document steps will be skipped.";
    return answer("Success", exitCode, addition, "");
  }
  if (exitCode === FAIL_AND_SKIP) {
    const addition =
      "\nStep exited with code 169. Therefore, marking step as Failed. Further document steps will be skipped.";
    return answer("Failed", exitCode, addition, stderr + addition);
  }
  if (exitCode === 0) return answer("Success", 0, "", stderr);
  if (exitCode === 137) return answer(end.stopped === "cancelled" ? "Cancelled" : "TimedOut", exitCode, "", stderr);
  const onFailure = steering(inputs, "onFailure");
  if (onFailure !== "exit" && onFailure !== "successAndExit") return answer("Failed", exitCode, "", stderr);
  const addition = "\nStep was found to have onFailure property. Further document steps will be skipped.";
  return onFailure === "exit"
    ? answer("Failed", exitCode, addition, stderr + addition)
    : answer("Success", SUCCEED_AND_SKIP, addition, stderr + addition);
}

const cut = (stdout: string, stderr: string) => ({ stdout: cutStream(stdout), stderr: cutStream(stderr) });

function endsDocument(inputs: unknown, { status, exitCode }: StepResult): boolean {
  if (exitCode === SUCCEED_AND_SKIP || exitCode === FAIL_AND_SKIP) return true;
  if (status === "Failed") return steering(inputs, "onFailure") === "exit";
  return status === "Success" && steering(inputs, "onSuccess") === "exit";
}

function skippedByControlFlow({ name, action }: DocumentStep): StepEnd {
  const summary = `Plugin with name ${action} and id ${name} skipped due to prior step with an exit condition`;
  return { status: "Skipped", exitCode: 0, stdout: "", stderr: "", summary };
}

/** The worst of the steps: Failed, then TimedOut, then Cancelled. Skipped is a form of success. */
function documentStatus(steps: readonly StepResult[]): DocumentStatus {
  for (const status of ["InProgress", "Failed", "TimedOut", "Cancelled"] as const) {
    if (steps.some((step) => step.status === status)) return status;
  }
  return "Success";
}

function refused(content: unknown, trace: string): DocumentResult {
  const steps = (content as { mainSteps?: unknown } | null)?.mainSteps;
  const notReported = { status: "NotReported", exitCode: null, stdout: null, stderr: null, summary: "" } as const;
  const named = (Array.isArray(steps) ? steps : []).map((step: { name?: unknown; action?: unknown }) => ({
    name: String(step?.name),
    action: String(step?.action),
    ...notReported,
    startedAt: null,
    endedAt: null,
  }));
  return { status: "Failed", steps: named, trace };
}
