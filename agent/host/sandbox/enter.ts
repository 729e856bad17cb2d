import { CommandNotFound, type ExecOptions, type ExecResult, exec } from "../exec.ts";
import type { Privilege } from "./privilege.ts";

const PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

export interface Namespaces {
  /** PID of the sandbox's PID 1 as the machine counts. */
  readonly pid: number;
  readonly privilege: Privilege;
  readonly network: "shared" | "none";
}

/**
 * Runs a program in the namespaces of a process, under the same contract as exec. At the deadline nsenter and what it
 * started are killed; what left for a session of its own lives on until the sandbox ends.
 */
export async function enterNamespaces(
  namespaces: Namespaces,
  file: string,
  args: readonly string[],
  options: ExecOptions,
): Promise<ExecResult> {
  const { cwd, ...rest } = options;
  const flags = ["--mount", "--uts", "--ipc", "--pid"];
  if (namespaces.network === "none") flags.push("--net");
  if (namespaces.privilege === "userNamespace") flags.push("--user");
  // nsenter's own --wdns came with util-linux 2.38; env --chdir is older than every supported release.
  const inside = cwd === undefined ? [file, ...args] : ["/usr/bin/env", `--chdir=${cwd}`, "--", file, ...args];
  const result = await exec("/usr/bin/nsenter", [`--target=${namespaces.pid}`, ...flags, "--", ...inside], {
    ...rest,
    env: options.env ?? { PATH, HOME: "/root" },
  });
  const refused = /^nsenter: failed to execute (.*?): (.*)$/m.exec(result.stderr);
  if (refused !== null && (result.exitCode === 127 || result.exitCode === 126)) {
    throw new CommandNotFound(refused[1] ?? file, refused[2] ?? "");
  }
  return { ...result, command: [file, ...args] };
}
