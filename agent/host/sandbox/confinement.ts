import { CommandNotFound, type ExecOptions, type ExecResult, exec } from "../exec.ts";
import { ENTER_PROGRAM } from "./enter-program.ts";
import { SandboxFailure } from "./failure.ts";

/** What a confined sandbox may use. It has no devices, no capability beyond those an upgrade needs, and /proc/sys and /sys read-only. */
export interface Confinement {
  /** Bytes that may be written, in memory. */
  readonly sizeBytes: number;
  /** Bytes of memory that all its processes may have mapped in. */
  readonly memoryBytes: number;
  readonly processes: number;
  /** Folders on which the machine has other file systems that are to be cloned too, parents first. */
  readonly fileSystems: readonly string[];
}

/** What maintainer scripts need: owners, modes, users, chroot, file capabilities, and ending their own. */
const CAPABILITIES = {
  CHOWN: 0,
  DAC_OVERRIDE: 1,
  FOWNER: 3,
  FSETID: 4,
  KILL: 5,
  SETGID: 6,
  SETUID: 7,
  SYS_CHROOT: 18,
  SETFCAP: 31,
} as const;

const PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
const SWEEP_MS = 10_000;

/**
 * Runs a program in a confined sandbox under the contract of exec; what left its process group lives on until `sweepConfined`.
 * @param cgroup folders of the control groups that hold it
 */
export async function enterConfined(
  pid: number,
  cgroup: readonly string[],
  file: string,
  args: readonly string[],
  options: ExecOptions,
): Promise<ExecResult> {
  const { cwd, ...rest } = options;
  const result = await exec(
    "perl",
    ["-e", ENTER_PROGRAM, String(pid), keep(), cgroup.join(":"), cwd ?? "/", file, ...args],
    {
      ...rest,
      env: options.env ?? { PATH, HOME: "/root" },
    },
  );
  const refused = /^enter: (.*?): (.*)$/m.exec(result.stderr);
  if (refused !== null && result.exitCode === 127) throw new CommandNotFound(refused[1] ?? file, refused[2] ?? "");
  return { ...result, command: [file, ...args] };
}

/**
 * Ends every process of a confined sandbox but its PID 1, wherever they went.
 * @throws SandboxFailure `ended`
 */
export async function sweepConfined(pid: number): Promise<void> {
  const result = await exec("perl", ["-e", ENTER_PROGRAM, String(pid), keep(), "", "/"], { deadlineMs: SWEEP_MS });
  if (result.exitCode !== 0)
    throw new SandboxFailure("ended", `sandbox of process ${pid}: cannot be swept: ${result.stderr.trim()}`);
}

function keep(): string {
  return Object.values(CAPABILITIES).join(",");
}
