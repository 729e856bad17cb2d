import type { Exec, ExecResult } from "../../../agent/host/exec.ts";
import type { ShellInputs } from "./step-inputs.ts";

/** A host as the agent on it sees it. */
export interface AgentHost {
  /** Runs a program inside the host, as its root user. */
  readonly exec: Exec;
  /** Ends everything on the host and starts it again; resolves when the agent could go on. */
  reboot(): Promise<void>;
  readonly identity: { readonly instanceId: string; readonly region: string };
  /** `type` in lower case, `linux`; name and version as in os-release: `Debian GNU/Linux`, `12`. */
  readonly platform: { readonly type: string; readonly name: string; readonly version: string };
}

/** What a script did. Of each stream at least the first 256 KiB. */
export interface ScriptEnd {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
  /** Killed by the agent at the step's time-out, or because the command was cancelled. */
  readonly stopped: "timedOut" | "cancelled" | null;
  /** Why the agent counts the script as failed: `exit status 3`, `signal: killed`, or why it could not start. */
  readonly error: string | null;
}

const AGENT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin";
const AGENT_FOLDER = "/usr/bin";
/** The agent's exit code for what it stopped itself: 128 + SIGKILL. */
export const STOPPED_EXIT_CODE = 137;
const WRITE_DEADLINE_MS = 60_000;
/** More than the agent ever reports of a stream. */
const OUTPUT_BYTES = 256 * 1024;

/** Programs of ours for `sh -c`; what varies comes as arguments, never as text in them. */
const STORE = 'umask 077; mkdir -p -- "$1" && cat > "$1/_script.sh" && chmod 0700 "$1/_script.sh"';
/** stdin is opened inside the host, so that the script sees the host's own /dev/null. */
const CONFINE = 'umask 022; exec "$@" < /dev/null';

/**
 * Runs the commands of one step as the agent does: written to a file that `sh -c` executes (a first line `#!` counts), with the
 * agent's environment and nothing else, SIGKILL to the process group at the time-out.
 * @throws Error when the host does not take the script file
 */
export async function runScript(
  host: AgentHost,
  step: { readonly commandId: string; readonly name: string; readonly inputs: ShellInputs },
  signal: AbortSignal,
): Promise<ScriptEnd> {
  const { inputs } = step;
  const folder = `/var/lib/amazon/ssm/${host.identity.instanceId}/document/orchestration/${step.commandId}/${step.name.replaceAll(":", "")}`;
  const stored = await host.exec("/bin/sh", ["-c", STORE, "sh", folder], {
    deadlineMs: WRITE_DEADLINE_MS,
    input: `${inputs.runCommand.join("\n")}\n`,
  });
  if (stored.exitCode !== 0) throw new Error(`${host.identity.instanceId}: ${folder}: ${stored.stderr.trim()}`);
  const workingDirectory = inputs.workingDirectory.startsWith("/") ? inputs.workingDirectory : AGENT_FOLDER;
  const obstacle = workingDirectory === AGENT_FOLDER ? null : await folderObstacle(host, workingDirectory);
  if (obstacle !== null) {
    return { exitCode: 1, stdout: "", stderr: "", stopped: null, error: `fork/exec /usr/bin/sh: ${obstacle}` };
  }
  // Exec hears an abort, not that it has already happened.
  if (signal.aborted) {
    return { exitCode: STOPPED_EXIT_CODE, stdout: "", stderr: "", stopped: "cancelled", error: null };
  }
  const environment = Object.entries({
    PATH: AGENT_PATH,
    ...inputs.environment,
    SSM_COMMAND_ID: step.commandId,
    AWS_SSM_INSTANCE_ID: host.identity.instanceId,
    AWS_SSM_REGION_NAME: host.identity.region,
    AWS_SSM_PLATFORM_NAME: host.platform.name,
    AWS_SSM_PLATFORM_VERSION: host.platform.version,
  }).map(([name, value]) => `${name}=${value}`);
  const asAgent = ["/usr/bin/env", "-i", `--chdir=${workingDirectory}`, "--", ...environment];
  const beginning = new Beginning();
  const result = await host.exec(
    "/bin/sh",
    ["-c", CONFINE, "sh", ...asAgent, "/bin/sh", "-c", `${folder}/_script.sh`],
    {
      deadlineMs: inputs.timeoutSeconds * 1000,
      signal,
      maxOutputBytes: OUTPUT_BYTES,
      onStdout: beginning.add("stdout"),
      onStderr: beginning.add("stderr"),
    },
  );
  return asEnd(beginning.complete(result), signal);
}

/** Keeps the beginning of a long output: the agent reports that, Exec keeps the end. */
class Beginning {
  readonly #text = { stdout: "", stderr: "" };

  add(stream: "stdout" | "stderr") {
    return (chunk: string) => {
      if (this.#text[stream].length < OUTPUT_BYTES) this.#text[stream] += chunk;
    };
  }

  complete(result: ExecResult): ExecResult {
    const whole = (stream: "stdout" | "stderr") =>
      Buffer.byteLength(result[stream]) < OUTPUT_BYTES ? result[stream] : this.#text[stream];
    return { ...result, stdout: whole("stdout"), stderr: whole("stderr") };
  }
}

/** A script that could not be started because the plugin's shell is not on the host. */
export const NO_POWERSHELL: ScriptEnd = {
  exitCode: 1,
  stdout: "",
  stderr: "",
  stopped: null,
  error: "fork/exec /usr/bin/pwsh: no such file or directory",
};

async function folderObstacle(host: AgentHost, folder: string): Promise<string | null> {
  const is = async (test: string) =>
    (await host.exec("/usr/bin/test", [test, folder], { deadlineMs: WRITE_DEADLINE_MS })).exitCode === 0;
  if (await is("-d")) return null;
  return (await is("-e")) ? "not a directory" : "no such file or directory";
}

function asEnd(result: ExecResult, signal: AbortSignal): ScriptEnd {
  const { stdout, stderr } = result;
  if (result.timedOut || signal.aborted) {
    return {
      exitCode: STOPPED_EXIT_CODE,
      stdout,
      stderr,
      stopped: result.timedOut ? "timedOut" : "cancelled",
      error: null,
    };
  }
  if (result.exitCode === null) {
    const name = SIGNALS[result.signal ?? "SIGKILL"] ?? String(result.signal);
    return { exitCode: -1, stdout, stderr, stopped: null, error: `signal: ${name}` };
  }
  const error = result.exitCode === 0 ? null : `exit status ${result.exitCode}`;
  return { exitCode: result.exitCode, stdout, stderr, stopped: null, error };
}

/** Signals as Go names them on Linux. */
const SIGNALS: Partial<Record<NodeJS.Signals, string>> = {
  SIGHUP: "hangup",
  SIGINT: "interrupt",
  SIGQUIT: "quit",
  SIGILL: "illegal instruction",
  SIGABRT: "aborted",
  SIGFPE: "floating point exception",
  SIGKILL: "killed",
  SIGSEGV: "segmentation fault",
  SIGPIPE: "broken pipe",
  SIGALRM: "alarm clock",
  SIGTERM: "terminated",
  SIGUSR1: "user defined signal 1",
  SIGUSR2: "user defined signal 2",
};
