import { randomBytes } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, readlinkSync, rmdirSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { type Exec, type ExecResult, exec, killGroup, start } from "../../agent/host/exec.ts";
import { removeTree } from "../../agent/host/sandbox/sandbox.ts";
import type { Base } from "./base.ts";
import { HostsFailure } from "./failure.ts";
import type { Seen } from "./fingerprint.ts";
import { writeInside } from "./inside.ts";

/**
 * A host that boots its own systemd, for what a sandbox without init cannot show: services, timers, journald, reboots. It lives in a
 * systemd-nspawn container inside namespaces that end with this process, so that nothing is left running or mounted however it ends.
 * Its network is its own, with a loopback interface only.
 */
export interface BootedHost extends Seen {
  readonly name: string;
  /** PID of its systemd as the machine counts. Changes with each reboot. */
  readonly pid: number;
  /** The live tree as the machine can read and write it; see `inside` for paths in it. */
  readonly root: string;
  readonly bootId: string;
  /** Runs a program inside, in all its namespaces, with HOME=/root and the usual PATH unless given. */
  readonly exec: Exec;
  run(file: string, ...args: string[]): Promise<ExecResult>;
  /** Shuts down in good order and boots again on the same files. `powerLoss`: without any warning. */
  reboot(how?: { readonly powerLoss?: boolean }): Promise<void>;
  close(): Promise<void>;
}

export interface BootedHostOptions {
  /** One of variant `booted`. */
  readonly base: Base;
  /** At most 40 letters, digits and dashes. */
  readonly name: string;
  /** Folder of this host alone, on a file system that is no overlay; removed on close. */
  readonly workspace: string;
  /** Folders laid over the base, top first, such as the agent's own files. @default none */
  readonly layers?: readonly string[];
  /** Called with the tree before the first boot, to write what the host is to find there. */
  readonly settle?: (root: string) => Promise<void> | void;
}

const BOOT_DEADLINE_MS = 60_000;
const END_DEADLINE_MS = 30_000;
const PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/** systemd's own signal for a power-off in good order: SIGRTMIN+4. */
const POWER_OFF = "RTMIN+4";

/** Run as `sh -c … sh OVERLAY ROOT NAME CGROUP…`: containers that shared one control group would stop each other's services. */
const HOLD = `set -e
overlay=$1 root=$2 name=$3; shift 3
for group in "$@"; do echo 0 > "$group/cgroup.procs"; done
mount -t overlay -o "$overlay" overlay "$root"
exec systemd-nspawn --quiet --directory="$root" --machine="$name" --register=no --keep-unit --private-network --resolv-conf=off \\
  --timezone=off --link-journal=no --console=pipe --boot systemd.show_status=0`;

/** @throws HostsFailure `toolMissing`, `commandFailed` with nspawn's own words */
export async function openBootedHost(options: BootedHostOptions): Promise<BootedHost> {
  if (options.base.privilege !== "root")
    throw new HostsFailure("toolMissing", "a host that boots needs root of this machine: run the tests with sudo");
  for (const folder of ["upper", "work", "root"])
    mkdirSync(join(options.workspace, folder), { recursive: true, mode: 0o755 });
  const host = new Booted(options);
  await host.boot(options.settle);
  return host;
}

interface Running {
  readonly child: ReturnType<typeof start>;
  readonly gone: Promise<void>;
  readonly pid: number;
  readonly groups: readonly string[];
}

class Booted implements BootedHost {
  readonly privilege = "root";
  readonly name: string;
  readonly #options: BootedHostOptions;
  #running: Running | undefined;
  #boots = 0;

  constructor(options: BootedHostOptions) {
    this.#options = options;
    this.name = options.name;
  }

  get pid(): number {
    if (this.#running !== undefined) return this.#running.pid;
    throw new HostsFailure("commandFailed", `${this.name}: it is not running`);
  }

  get root(): string {
    return `/proc/${this.pid}/root`;
  }

  get bootId(): string {
    return readFileSync(`${this.root}/proc/sys/kernel/random/boot_id`, "utf8").trim();
  }

  exec: Exec = async (file, args, { cwd, env, ...rest }) => {
    const command = cwd === undefined ? [file, ...args] : ["/usr/bin/env", `--chdir=${cwd}`, "--", file, ...args];
    const result = await exec("nsenter", [`--target=${this.pid}`, "--all", "--", ...command], {
      ...rest,
      env: env ?? { PATH, HOME: "/root" },
    });
    return { ...result, command: [file, ...args] };
  };

  run = (file: string, ...args: string[]): Promise<ExecResult> => this.exec(file, args, { deadlineMs: 180_000 });

  async boot(settle?: BootedHostOptions["settle"]): Promise<void> {
    const { base, workspace, layers = [] } = this.#options;
    const at = (folder: string) => join(workspace, folder);
    if (this.#boots++ === 0) await this.#prepare(settle);
    const groups = makeControlGroups(`autopatch-${randomBytes(6).toString("hex")}`);
    const lower = [...layers, base.root].join(":");
    const overlay = `lowerdir=${lower},upperdir=${at("upper")},workdir=${at("work")}`;
    const child = start(
      "setpriv",
      [
        ...[
          "--pdeathsig",
          "KILL",
          "unshare",
          "--mount",
          "--propagation=private",
          "--pid",
          "--fork",
          "--kill-child=KILL",
        ],
        ...["--mount-proc", "--", "sh", "-c", HOLD, "sh", overlay, at("root"), this.name, ...groups],
      ],
      { stdio: ["ignore", "pipe", "pipe"] },
    );
    let words = "";
    for (const stream of [child.stdout, child.stderr])
      stream?.on("data", (chunk: Buffer) => {
        words = `${words}${chunk}`.slice(-2_000);
      });
    const gone = new Promise<void>((resolve) => {
      child.once("close", () => resolve());
      child.once("error", (error) => {
        words += error.message;
        resolve();
      });
    });
    const pid = await Promise.race([findInit(child.pid ?? 0), gone.then(() => undefined)]);
    if (pid === undefined) {
      killGroup(child);
      await gone;
      await removeControlGroups(groups);
      throw new HostsFailure("commandFailed", `${this.name}: it does not boot: ${words.trim()}`);
    }
    this.#running = { child, gone, pid, groups };
    await this.#settled();
  }

  async reboot({ powerLoss = false } = {}): Promise<void> {
    await this.#end(powerLoss);
    await this.boot();
  }

  async close(): Promise<void> {
    await this.#end(true);
    await removeTree(this.#options.workspace, "root");
  }

  /** What makes a copy of the base this host and no other, written where the overlay finds it. */
  async #prepare(settle: BootedHostOptions["settle"]): Promise<void> {
    const upper = join(this.#options.workspace, "upper");
    writeInside(upper, "/etc/hostname", `${this.name}\n`);
    writeInside(upper, "/etc/hosts", `127.0.0.1 localhost\n127.0.1.1 ${this.name}\n::1 localhost\n`);
    writeInside(upper, "/etc/machine-id", `${randomBytes(16).toString("hex")}\n`, 0o444);
    await settle?.(upper);
  }

  /** Waits until systemd has started everything; a unit that failed to start is the test's own affair. */
  async #settled(): Promise<void> {
    const until = Date.now() + BOOT_DEADLINE_MS;
    let said = "";
    while (Date.now() < until) {
      const asked = await this.exec("systemctl", ["is-system-running", "--wait"], { deadlineMs: BOOT_DEADLINE_MS });
      said = `${asked.stdout}${asked.stderr}`.trim();
      if (/^(running|degraded)$/.test(said)) return;
      await sleep(50);
    }
    throw new HostsFailure("commandFailed", `${this.name}: its systemd is not up: ${said}`);
  }

  async #end(atOnce: boolean): Promise<void> {
    const running = this.#running;
    if (running === undefined) return;
    if (!atOnce) {
      await exec("kill", ["-s", POWER_OFF, String(running.pid)], { deadlineMs: 5_000 });
      await Promise.race([running.gone, sleep(END_DEADLINE_MS)]);
    }
    this.#running = undefined;
    killGroup(running.child);
    await running.gone;
    await removeControlGroups(running.groups);
  }
}

/** The container's PID 1: a grandchild of ours in a further PID namespace, once it has become systemd. */
async function findInit(holder: number): Promise<number | undefined> {
  for (const until = Date.now() + BOOT_DEADLINE_MS; Date.now() < until; await sleep(20)) {
    for (const nspawn of childrenOf(holder))
      for (const pid of childrenOf(nspawn)) {
        if (namespaceOf(pid) !== namespaceOf(nspawn) && commandOf(pid) === "systemd") return pid;
      }
  }
  return undefined;
}

function childrenOf(pid: number): number[] {
  return textOf(`/proc/${pid}/task/${pid}/children`).split(" ").filter(Boolean).map(Number);
}

function commandOf(pid: number): string {
  return textOf(`/proc/${pid}/comm`).trim();
}

function namespaceOf(pid: number): string {
  try {
    return readlinkSync(`/proc/${pid}/ns/pid`);
  } catch {
    return "";
  }
}

function textOf(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}

/** One in each hierarchy that systemd uses, below the one this process is in. */
function makeControlGroups(name: string): string[] {
  const own = textOf("/proc/self/cgroup").split("\n");
  const below = (line: RegExp) => own.flatMap((one) => line.exec(one)?.[1] ?? []);
  const folders = [
    ...below(/^\d+:name=systemd:(.*)$/).map((path) => join("/sys/fs/cgroup/systemd", path)),
    ...below(/^0::(.*)$/).map((path) => join("/sys/fs/cgroup/unified", path)),
    ...below(/^0::(.*)$/).map((path) => join("/sys/fs/cgroup", path)),
  ].filter((folder) => existsSync(join(folder, "cgroup.procs")));
  const groups = folders.map((folder) => join(folder, name));
  for (const group of groups) mkdirSync(group);
  return groups;
}

/** What systemd made below goes first. A group stays busy until the kernel is done with its last process. */
async function removeControlGroups(groups: readonly string[]): Promise<void> {
  for (const group of groups.filter((one) => existsSync(one))) {
    const inner = readdirSync(group, { withFileTypes: true }).filter((entry) => entry.isDirectory());
    await removeControlGroups(inner.map(({ name }) => join(group, name)));
    for (const until = Date.now() + END_DEADLINE_MS; ; await sleep(20)) {
      try {
        rmdirSync(group);
        break;
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== "EBUSY" || Date.now() > until) throw error;
      }
    }
  }
}
