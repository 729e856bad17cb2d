import { randomUUID } from "node:crypto";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Exec, type ExecOptions, type ExecResult, exec } from "../exec.ts";
import { type Cgroup, type CgroupBounds, openCgroup } from "./cgroup.ts";
import { type Confinement, enterConfined, sweepConfined } from "./confinement.ts";
import { enterNamespaces } from "./enter.ts";
import { SandboxFailure } from "./failure.ts";
import { type Holder, startHolder } from "./holder.ts";
import { detectPrivilege, type Privilege, USER_NAMESPACE_FLAGS } from "./privilege.ts";

/** A file or folder of the machine that is to be seen in the sandbox. */
export interface Bind {
  /** Absolute path on the machine. */
  readonly from: string;
  /** Absolute path in the sandbox; made in the upper layer when it is missing. */
  readonly to: string;
  readonly readOnly: boolean;
}

export interface SandboxOptions {
  /** Read-only layers, top first; absolute paths. `["/"]` clones the machine itself. */
  readonly layers: readonly [string, ...string[]];
  /** Folder of this sandbox alone, on a file system that is no overlay; see chooseSpace. Made when missing. */
  readonly workspace: string;
  /** @default the machine's own */
  readonly hostname?: string;
  /** shared: the machine's network, 127.0.0.1 included. none: a network of its own with a loopback interface only. */
  readonly network: "shared" | "none";
  /** @default [] */
  readonly binds?: readonly Bind[];
  /** @default found by trying */
  readonly privilege?: Privilege;
  /** Nothing that runs in it can touch the machine, and what it may use is bounded. @default a host of its own with all rights in its namespaces */
  readonly confined?: Confinement;
}

/**
 * A copy-on-write clone with its own mounts, processes, host name and boot id. Nothing of it is mounted in the
 * machine's mount namespace: when its PID 1 dies, or the process that opened it does, nothing is left but files in the workspace.
 */
export interface Sandbox {
  readonly privilege: Privilege;
  /** PID, as the machine counts, of the sandbox's PID 1. Changes with each reboot. */
  readonly pid: number;
  /** The live tree as the machine can read and write it. Links in it with absolute targets lead out: use lstat and readlink. */
  readonly root: string;
  /** What the sandbox changed, as an overlay upper layer; it can be a layer of another sandbox once this one is closed with `keep`. */
  readonly upper: string;
  readonly bootId: string;
  /** Where the files lie that it changed on each file system, by the folder that is mounted on: `/` and those of the confinement. */
  readonly uppers: ReadonlyMap<string, string>;
  /** Bounds of the confinement that were exceeded, whereupon everything in it was ended. */
  readonly exceeded: readonly string[];
  /** Ends every process in it but its PID 1, wherever they went. Confined sandboxes only. */
  readonly sweep: () => Promise<void>;
  /** Runs a program inside, as its root user, in `/` unless `cwd` says otherwise. The environment is HOME=/root and the usual PATH unless given. */
  readonly exec: Exec;
  /** Ends every process without warning and starts again on the same files: new boot id, empty /run and /tmp. */
  reboot(): Promise<void>;
  /** Ends every process and removes the workspace, or leaves the upper layer with `keep`. A second call does nothing. */
  close(options?: { keep?: boolean }): Promise<void>;
}

/** @throws SandboxFailure with the reason; then nothing is running and nothing mounted. */
export async function openSandbox(options: SandboxOptions): Promise<Sandbox> {
  for (const path of [...options.layers, options.workspace]) {
    if (/^\/[^:,\\\n]*$/.test(path)) continue;
    const advice =
      "must be absolute and without colon, comma, backslash or line break, which overlay options give a meaning";
    throw new SandboxFailure("layerUnusable", `sandbox: ${JSON.stringify(path)} ${advice}`);
  }
  const bind = options.binds?.find(({ from, to }) => !/^\/[^\n]*$/.test(from) || !/^\/[^\n]*$/.test(to));
  if (bind !== undefined) {
    throw new SandboxFailure(
      "layerUnusable",
      `sandbox: bind ${JSON.stringify(bind)} must name absolute paths without line breaks`,
    );
  }
  const missing = options.layers.find((layer) => !existsSync(layer));
  if (missing !== undefined) throw new SandboxFailure("layerUnusable", `sandbox: there is no layer ${missing}`);
  const privilege = options.privilege ?? (await detectPrivilege(exec));
  if (options.confined !== undefined && privilege !== "root")
    throw new SandboxFailure("privilegeMissing", "sandbox: a confined one needs root of the machine: run it with sudo");
  const isNew = mkdirSync(options.workspace, { recursive: true, mode: 0o700 }) !== undefined;
  const folders = options.confined === undefined ? ["upper", "work", "root"] : ["stage", "root"];
  for (const name of folders) mkdirSync(join(options.workspace, name), { recursive: true });
  const opened = new OpenSandbox(options, privilege);
  try {
    await opened.boot();
  } catch (error) {
    await opened.close({ keep: true });
    if (isNew) await removeTree(options.workspace, privilege);
    throw error;
  }
  return opened;
}

class OpenSandbox implements Sandbox {
  readonly privilege: Privilege;
  readonly #options: SandboxOptions;
  readonly #cgroup: Cgroup | null;
  #bootId = "";
  #holder: Holder | undefined;
  #closed = false;

  constructor(options: SandboxOptions, privilege: Privilege) {
    this.#options = options;
    this.privilege = privilege;
    this.#cgroup = options.confined === undefined ? null : openCgroup(ceilings(options.confined));
  }

  get upper(): string {
    const { stage } = this.#options.confined === undefined ? { stage: null } : this.#running();
    return stage === null ? join(this.#options.workspace, "upper") : `${stage}/0/upper`;
  }

  get uppers(): ReadonlyMap<string, string> {
    const others = this.#options.confined?.fileSystems ?? [];
    return new Map(["/", ...others].map((at, i) => [at, i === 0 ? this.upper : `${this.#running().stage}/${i}/upper`]));
  }

  get exceeded(): readonly string[] {
    const watched = this.#running().exceeded;
    return watched.length === 0 && this.#cgroup?.memoryExceeded() === true ? ["memory"] : watched;
  }

  sweep = (): Promise<void> => sweepConfined(this.pid);

  get pid(): number {
    return this.#running().pid;
  }

  get root(): string {
    return `/proc/${this.pid}/root`;
  }

  get bootId(): string {
    return this.#bootId;
  }

  exec = async (file: string, args: readonly string[], options: ExecOptions): Promise<ExecResult> =>
    this.#options.confined !== undefined
      ? enterConfined(this.pid, this.#cgroup?.folders ?? [], file, args, options)
      : enterNamespaces(
          { pid: this.pid, privilege: this.privilege, network: this.#options.network },
          file,
          args,
          options,
        );

  async boot(): Promise<void> {
    this.#bootId = randomUUID();
    writeFileSync(join(this.#options.workspace, "boot_id"), `${this.#bootId}\n`);
    this.#holder = await startHolder(this.#options, this.privilege);
  }

  async reboot(): Promise<void> {
    await this.#running().end();
    this.#holder = undefined;
    await this.boot();
  }

  async close(options: { keep?: boolean } = {}): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.#holder?.end();
    this.#holder = undefined;
    this.#cgroup?.remove();
    if (options.keep !== true) await removeTree(this.#options.workspace, this.privilege);
  }

  #running(): Holder {
    if (this.#holder !== undefined) return this.#holder;
    throw new SandboxFailure("ended", `sandbox ${this.#options.workspace}: it is closed; open another`);
  }
}

/**
 * What the kernel holds a confined sandbox to. Its own watch ends everything as soon as it sees more than is allowed; this is for what
 * happens between two looks, and counts what was written too, since that lies in memory.
 */
function ceilings({ sizeBytes, memoryBytes, processes }: Confinement): CgroupBounds {
  return { memoryBytes: sizeBytes + memoryBytes, processes: 2 * processes };
}

/** Removes a workspace; in a user namespace its files may belong to ids only the namespace may touch. */
export async function removeTree(path: string, privilege: Privilege): Promise<void> {
  const remove = ["rm", "-rf", "--one-file-system", "--", path];
  const command = privilege === "root" ? remove : ["unshare", ...USER_NAMESPACE_FLAGS, ...remove];
  const [file, ...args] = command as [string, ...string[]];
  const result = await exec(file, args, { deadlineMs: 120_000 });
  if (result.exitCode === 0) return;
  throw new SandboxFailure("ended", `sandbox ${path}: cannot be removed: ${result.stderr.trim()}`);
}
