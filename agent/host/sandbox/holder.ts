import { existsSync, readlinkSync, realpathSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { killGroup, start } from "../exec.ts";
import type { Confinement } from "./confinement.ts";
import { SandboxFailure } from "./failure.ts";
import { INIT_PROGRAM } from "./init-program.ts";
import { type Privilege, USER_NAMESPACE_FLAGS } from "./privilege.ts";
import type { SandboxOptions } from "./sandbox.ts";

const READY_DEADLINE_MS = 15_000;
/** A program killed at its deadline is left to the machine's init, which may be slow to reap it or, in a container, never does. */
const END_DEADLINE_MS = 10_000;

/** The process that keeps a sandbox's namespaces, and with them its mounts, in being. */
export interface Holder {
  /**
   * PID of the sandbox's PID 1 as the machine counts. Checked at each use, since a number that went to another process would
   * lead what is meant for the sandbox to the machine.
   * @throws SandboxFailure `ended` when it is gone
   */
  readonly pid: number;
  /** Folder of the upper layers as this process reaches it; null unless confined. */
  readonly stage: string | null;
  /** Bounds that were exceeded, so that everything in the sandbox was ended: `processes`, `memory`. */
  readonly exceeded: readonly string[];
  /** Ends every process of the sandbox; resolves when all are gone and the mounts with them, but for zombies the machine's init has not reaped. */
  end(): Promise<void>;
}

/** @throws SandboxFailure `startFailed` with the init program's or unshare's own words. */
export async function startHolder(options: SandboxOptions, privilege: Privilege): Promise<Holder> {
  const child = start(
    "setpriv",
    ["--pdeathsig", "KILL", "unshare", ...namespaceFlags(options, privilege), ...init(options, privilege)],
    {
      stdio: ["pipe", "pipe", "pipe"],
    },
  );
  const gone = new Promise<void>((resolve) => {
    child.once("close", () => resolve());
    child.once("error", () => resolve());
  });
  let stderr = "";
  child.stderr?.on("data", (chunk: Buffer) => {
    stderr += chunk.toString("utf8");
  });
  let stdout = "";
  const ready = await new Promise<RegExpExecArray | undefined>((resolve) => {
    child.stdout?.on("data", (chunk: Buffer) => {
      stdout = `${stdout}${chunk.toString("utf8")}`.slice(-4_096);
      const found = /^ready (\d+) (\d*)$/m.exec(stdout);
      if (found !== null) resolve(found);
    });
    child.once("error", (error) => {
      stderr += error.message;
    });
    gone.then(() => resolve(undefined));
    setTimeout(() => resolve(undefined), READY_DEADLINE_MS).unref();
  });
  if (ready === undefined) {
    killGroup(child);
    await gone;
    const words = stderr.trim() || `no answer within ${READY_DEADLINE_MS} ms`;
    throw new SandboxFailure("startFailed", `sandbox ${options.workspace}: cannot be started: ${words}`);
  }
  const pid = Number(ready[1]);
  const born = pidNamespace(pid);
  child.unref();
  for (const stream of [child.stdin, child.stdout, child.stderr]) (stream as { unref?: () => void } | null)?.unref?.();
  // Writing to a PID 1 that died is no news: its end is.
  child.stdin?.on("error", () => {});
  return {
    get pid() {
      if (born !== undefined && pidNamespace(pid) === born) return pid;
      const why = "its PID 1 is gone, killed from outside or for want of memory; reboot it, or open another";
      throw new SandboxFailure("ended", `sandbox ${options.workspace}: ${why}`);
    },
    stage: ready[2] === "" ? null : `/proc/${pid}/fd/${ready[2]}`,
    get exceeded() {
      return [...stdout.matchAll(/^exceeded (\w+)$/gm)].map((match) => match[1] ?? "");
    },
    end: async () => {
      child.ref();
      // End of file ends PID 1 in its own time; the kill does not wait for that. unshare then reaps it and exits.
      child.stdin?.destroy();
      if (born !== undefined && pidNamespace(pid) === born) killQuietly(pid);
      await Promise.race([gone, new Promise((resolve) => setTimeout(resolve, END_DEADLINE_MS).unref())]);
    },
  };
}

/** Names the PID namespace of a process for as long as that lives. */
function pidNamespace(pid: number): string | undefined {
  try {
    return readlinkSync(`/proc/${pid}/ns/pid`);
  } catch {
    return undefined;
  }
}

function namespaceFlags(options: SandboxOptions, privilege: Privilege): string[] {
  const flags = ["--mount", "--propagation=private", "--pid", "--fork", "--kill-child=KILL", "--uts", "--ipc"];
  if (options.network === "none") flags.push("--net");
  return privilege === "root" ? flags : [...USER_NAMESPACE_FLAGS, ...flags];
}

function init(options: SandboxOptions, privilege: Privilege): string[] {
  const at = (name: string) => join(options.workspace, name);
  const { confined } = options;
  const layer = (name: string) => at(confined === undefined ? name : `stage/0/${name}`);
  const overlay = [`lowerdir=${options.layers.join(":")}`, `upperdir=${layer("upper")}`, `workdir=${layer("work")}`];
  if (privilege === "userNamespace") overlay.push("userxattr");
  const binds = [...(options.binds ?? [])];
  if (options.network === "shared" && existsSync("/etc/resolv.conf")) {
    binds.unshift({ from: realpathSync("/etc/resolv.conf"), to: "/etc/resolv.conf", readOnly: true });
  }
  // A file rather than an argument, so that ps stays readable.
  writeFileSync(at("init"), INIT_PROGRAM);
  return [
    "perl",
    at("init"),
    `overlay=${overlay.join(",")}`,
    `root=${at("root")}`,
    `bootid=${at("boot_id")}`,
    `hostname=${options.hostname ?? ""}`,
    `network=${options.network}`,
    ...(confined === undefined ? [] : confinement(confined, at("stage"))),
    ...binds.map(({ from, to, readOnly }) => `bind=${from}\n${to}\n${readOnly ? "ro" : "rw"}`),
  ];
}

function confinement(confined: Confinement, stage: string): string[] {
  const { sizeBytes, memoryBytes, processes, fileSystems } = confined;
  return [
    `stage=${stage}`,
    `size=${sizeBytes}`,
    `memory=${memoryBytes}`,
    `processes=${processes}`,
    ...fileSystems.map((path) => `filesystem=${path}`),
  ];
}

function killQuietly(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}
