import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import type { Server } from "node:net";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import type { ExecResult } from "../../agent/host/exec.ts";
import { HOST_PATHS } from "../../contract/names.ts";
import { defaultCacheFolder, openBase } from "../../local/hosts/base.ts";
import { type BootedHost, openBootedHost } from "../../local/hosts/booted-host.ts";
import { forgetRunFolder, openRunFolder } from "../../local/hosts/run-folder.ts";
import { openSampleRepository } from "../../local/hosts/sample/repository.ts";
import { writeSources } from "../../local/hosts/sources.ts";
import { type AnyAgentHost, agentHost, PATH } from "../agent/bench.ts";
import { bridge } from "./bridge.ts";
import { builtDeb } from "./built.ts";
import { OLD, PACKAGES } from "./packages.ts";

/** A booted host as an administrator has it: the .deb installed by apt, nothing configured, nginx and payroll at 1.0-1 and 2.0-1 to be had. */
export interface SeedHost extends AnyAgentHost {
  readonly booted: BootedHost;
  /** Runs a script of the seed's with bash, as root, with the doubles first in PATH. */
  bash(script: string, options?: BashOptions): Promise<ExecResult>;
  /** Puts a program before all others in PATH. It writes its arguments, then what `says` does. */
  double(name: string, says?: string): void;
  /** Arguments of every call of a double since the last look, in order. */
  calls(name: string): string[][];
  /** Version of a package as dpkg has it; empty when there is none. */
  version(name: string): Promise<string>;
  /** Lets a server of this machine answer inside the host. */
  bridge(name: string, address: string, url: string): Promise<void>;
}

export interface BashOptions {
  /** @default /root */
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Of bash itself, such as -e. */
  readonly flags?: readonly string[];
}

const DOUBLES = "/opt/doubles";
const REPOSITORY = "127.0.0.1:8000";
const DEADLINE_MS = 180_000;

export interface SeedHostOptions {
  /** Whether the .deb is installed. @default true */
  readonly agent?: boolean;
  /** As the package has it, changes are rehearsed; that takes its time, and is not what most of these tests look at. @default false */
  readonly rehearse?: boolean;
}

export async function openSeedHost({ agent = true, rehearse = false }: SeedHostOptions = {}): Promise<SeedHost> {
  const folder = mkdtempSync(join(tmpdir(), "autopatch-seed-"));
  const base = await openBase({ variant: "booted" });
  const run = openRunFolder([`/dev/shm/autopatch-${process.getuid?.() ?? 0}`, join(defaultCacheFolder(), "runs")], 1);
  const repository = await openSampleRepository({
    folder: join(folder, "repository"),
    packages: PACKAGES,
    date: new Date(),
  });
  const bridges: Server[] = [];
  const booted = await openBootedHost({ base, name: "seed", workspace: join(run.path, "1") });
  const close = async () => {
    for (const one of bridges) one.close();
    await booted.close();
    await repository.close();
    for (const path of [folder, run.path]) rmSync(path, { recursive: true, force: true });
    forgetRunFolder(run);
  };
  const plain = agentHost({ id: "i-0123456789abcdef0", seen: booted, close });
  const host: SeedHost = Object.assign(plain, {
    booted,
    bash: (script: string, { cwd = "/root", env = {}, flags = [] }: BashOptions = {}) => {
      const file = "/root/.seed-script";
      plain.write(file, script);
      const environment = { HOME: "/root", ...env, PATH: `${DOUBLES}:${PATH}` };
      return booted.exec("bash", [...flags, file], { deadlineMs: DEADLINE_MS, cwd, env: environment });
    },
    double: (name: string, says = "") => {
      const record = `printf '%s\\037' "$@" >> ${DOUBLES}/${name}.calls; echo >> ${DOUBLES}/${name}.calls`;
      plain.write(`${DOUBLES}/${name}`, `#!/bin/sh\n${record}\n${says}\n`, 0o755);
      plain.write(`${DOUBLES}/${name}.calls`, "");
    },
    calls: (name: string) => {
      const said = plain.read(`${DOUBLES}/${name}.calls`);
      plain.write(`${DOUBLES}/${name}.calls`, "");
      return said
        .split("\u001f\n")
        .slice(0, -1)
        .map((call) => call.split("\u001f"));
    },
    version: async (name: string) =>
      (await plain.run("dpkg-query", "--show", "--showformat=${Version}", name)).stdout.trim(),
    bridge: async (name: string, address: string, url: string) => {
      bridges.push(await bridge(plain, name, address, url));
    },
  });
  try {
    await host.bridge("repository", REPOSITORY, repository.url);
    writeSources(host.root, base, ["sample"], { ...repository, url: `http://${REPOSITORY}/` });
    await must(host, "apt-get", "-qq", "update");
    await must(host, "apt-get", "-qq", "-y", "install", `nginx=${OLD}`, `payroll=${OLD}`);
    if (agent) {
      const { path } = await builtDeb(folder);
      host.write(`/root/${basename(path)}`, readFileSync(path));
      await must(host, "apt-get", "-qq", "-y", "-o", "APT::Sandbox::User=root", "install", `/root/${basename(path)}`);
      await must(host, "rm", `/root/${basename(path)}`);
      if (!rehearse) host.write(HOST_PATHS.config, `${host.read(HOST_PATHS.config)}AUTOPATCH_REHEARSE=off\n`);
    }
    return host;
  } catch (error) {
    await close();
    throw error;
  }
}

/** Runs a program that has to succeed. @throws Error with its last words */
export async function must(host: AnyAgentHost, file: string, ...args: string[]): Promise<ExecResult> {
  const result = await host.run(file, ...args);
  if (result.exitCode === 0) return result;
  throw new Error(`${file} ${args.join(" ")}: ${result.exitCode}: ${result.stdout.slice(-800)} ${result.stderr}`);
}

/** Upgrades nginx and payroll, with a backup. */
export async function upgrade(host: SeedHost): Promise<void> {
  const done = await host.bash("/usr/local/bin/autopatch-manager.sh auto-update --install --backup");
  if (done.exitCode !== 0) throw new Error(`${done.stdout}${done.stderr}`);
}
