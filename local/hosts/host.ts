import { randomBytes } from "node:crypto";
import { join } from "node:path";
import type { Exec } from "../../agent/host/exec.ts";
import { openSandbox, removeTree, type Sandbox } from "../../agent/host/sandbox/sandbox.ts";
import { type Base, defaultCacheFolder } from "./base.ts";
import { type Fingerprint, takeFingerprint } from "./fingerprint.ts";
import { writeInside } from "./inside.ts";
import { prepareLayer } from "./prepared-layer.ts";
import { forgetRunFolder, keepRunFolder, openRunFolder } from "./run-folder.ts";
import type { SampleRole } from "./sample/packages.ts";
import type { SampleRepository } from "./sample/repository.ts";
import { type PackageSource, writeSources } from "./sources.ts";

export interface HostsOptions {
  readonly base: Base;
  /** How many hosts there will be at once; decides where they have room. */
  readonly count: number;
  /** Needed for hosts with a role or the source "sample". */
  readonly repository?: SampleRepository;
  /** Folders that runs may keep their files in, the best first. @default memory, then the cache folder */
  readonly runFolders?: readonly string[];
}

export interface HostOptions {
  /** Instance id, `i-…`. */
  readonly id: string;
  readonly name: string;
  /** Sample packages it starts with at their old versions. @default none */
  readonly role?: SampleRole;
  readonly sources: readonly PackageSource[];
  /** Where it has its sample packages from. @default the repository of all hosts */
  readonly mirror?: SampleRepository;
  /** Files as an administrator left them: content by absolute path; owner and mode stay. @default none */
  readonly edited?: Readonly<Record<string, string>>;
  /** Folder laid over everything, such as the agent's own files. */
  readonly agentLayer?: string;
  /** @default "shared" */
  readonly network?: "shared" | "none";
}

export interface Host {
  readonly id: string;
  readonly name: string;
  readonly sandbox: Sandbox;
  readonly exec: Exec;
  /** What it is now, seen from outside; see fingerprint.ts. */
  fingerprint(): Promise<Fingerprint>;
  close(): Promise<void>;
}

export interface Hosts {
  /** Folder of this run and why it lies there. */
  readonly folder: string;
  readonly reason: string;
  /** Installs a role's packages ahead of time, so that creating hosts of that role is quick. */
  prepare(role: SampleRole): Promise<void>;
  create(options: HostOptions): Promise<Host>;
  /** Ends all hosts and removes the run's folder, or leaves its files with `keep`. May be called at any time and more than once. */
  closeAll(options?: { keep?: boolean }): Promise<void>;
}

/**
 * Opens a run: removes what dead runs left, finds room, and makes hosts on demand.
 * @throws SandboxFailure `spaceMissing`
 */
export async function openHosts(options: HostsOptions): Promise<Hosts> {
  const { base } = options;
  const uid = process.getuid?.() ?? 0;
  const parents = options.runFolders ?? [`/dev/shm/autopatch-${uid}`, join(defaultCacheFolder(), "runs")];
  const run = openRunFolder(parents, options.count);
  for (const leftover of run.leftovers) await removeTree(leftover, base.privilege);

  const layers = new Map<SampleRole, Promise<string>>();
  const hosts = new Set<Promise<Host>>();
  let closing: Promise<void> | undefined;

  const layerOf = (role: SampleRole): Promise<string> => {
    const known = layers.get(role);
    if (known !== undefined) return known;
    if (options.repository === undefined) throw new Error(`role ${role} needs the sample repository; open one first`);
    const made = prepareLayer(base, options.repository, role, join(run.path, `role-${role}`));
    layers.set(role, made);
    return made;
  };

  const create = async (host: HostOptions): Promise<Host> => {
    const prepared = host.role === undefined ? [] : [await layerOf(host.role)];
    const agent = host.agentLayer === undefined ? [] : [host.agentLayer];
    const [top, ...below] = [...agent, ...prepared, base.root];
    const sandbox = await openSandbox({
      layers: [top ?? base.root, ...below],
      workspace: join(run.path, host.id),
      hostname: host.name,
      network: host.network ?? "shared",
      privilege: base.privilege,
    });
    settle(sandbox.root, host, base, host.mirror ?? options.repository);
    return {
      id: host.id,
      name: host.name,
      sandbox,
      exec: sandbox.exec,
      fingerprint: () => takeFingerprint(sandbox),
      close: () => sandbox.close(),
    };
  };

  const close = async (keep: boolean): Promise<void> => {
    // A layer or host still being made is waited for: only then is there something to end.
    await Promise.allSettled(layers.values());
    const made = await Promise.allSettled(hosts);
    await Promise.all(made.map((one) => (one.status === "fulfilled" ? one.value.sandbox.close({ keep }) : undefined)));
    if (keep) keepRunFolder(run);
    else {
      await removeTree(run.path, base.privilege);
      forgetRunFolder(run);
    }
  };

  return {
    folder: run.path,
    reason: run.reason,
    prepare: async (role) => void (await layerOf(role)),
    create: (host) => {
      if (closing !== undefined) return Promise.reject(new Error(`host ${host.id}: the hosts are being closed`));
      const made = create(host);
      hosts.add(made);
      return made;
    },
    closeAll: ({ keep = false } = {}) => {
      closing ??= close(keep);
      return closing;
    },
  };
}

/** What makes a copy of the base this host and no other. */
function settle(root: string, host: HostOptions, base: Base, repository: SampleRepository | undefined): void {
  writeInside(root, "/etc/hostname", `${host.name}\n`);
  writeInside(root, "/etc/hosts", `127.0.0.1 localhost\n127.0.1.1 ${host.name}\n::1 localhost\n`);
  writeInside(root, "/etc/machine-id", `${randomBytes(16).toString("hex")}\n`, 0o444);
  writeSources(root, base, host.sources, repository);
  for (const [path, content] of Object.entries(host.edited ?? {})) writeInside(root, path, content);
}
