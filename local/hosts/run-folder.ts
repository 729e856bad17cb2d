import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmdirSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { chooseSpace, measureSpace } from "../../agent/host/sandbox/space.ts";
import { HostsFailure } from "./failure.ts";

/** Bytes one host may come to write: lists, downloads, the upgrade, a backup. */
export const BYTES_PER_HOST = 1_500_000_000;

export interface RunFolder {
  readonly path: string;
  /** Why it lies where it lies. */
  readonly reason: string;
  /** Folders of runs that died, which the caller removes. */
  readonly leftovers: readonly string[];
}

/**
 * Makes this run's folder where there is room for its hosts, and finds what dead runs left. A run is dead when no process has its pid and
 * start time; runs of other PID namespaces cannot be judged from here and are left alone, and so are kept ones.
 * @param parents candidate folders, the best first
 * @throws SandboxFailure `spaceMissing`
 */
export function openRunFolder(parents: readonly string[], hosts: number): RunFolder {
  const mine = runName(process.pid);
  for (const parent of parents) requireOwn(parent);
  const leftovers = parents.flatMap((parent) => deadRuns(parent));
  const space = chooseSpace(
    parents.map((parent) => measureSpace(parent)),
    hosts * BYTES_PER_HOST,
  );
  const own = join(space.path, mine);
  mkdirSync(own, { recursive: true, mode: 0o700 });
  const path = mkdtempSync(join(own, "hosts-"));
  return { path, reason: space.reason, leftovers };
}

/** Marks a run's folder so that later runs leave it alone. */
export function keepRunFolder(run: RunFolder): void {
  writeFileSync(join(run.path, "..", "keep"), "");
}

/** Removes what held the folder of this process, unless other hosts of it are still there. */
export function forgetRunFolder(run: RunFolder): void {
  const own = join(run.path, "..");
  if (readdirSync(own).length === 0) rmdirSync(own);
}

/** `run-PIDNAMESPACE-PID-STARTTIME`: names a process for good, also after its pid went to another. */
export function runName(pid: number): string {
  return `run-${pidNamespace()}-${pid}-${startTime(pid)}`;
}

function deadRuns(parent: string): string[] {
  if (!existsSync(parent)) return [];
  return readdirSync(parent)
    .filter((name) => {
      const [, namespace, pid, started] = /^run-(\d+)-(\d+)-(\d+)$/.exec(name) ?? [];
      if (namespace !== pidNamespace() || existsSync(join(parent, name, "keep"))) return false;
      return startTime(Number(pid)) !== started;
    })
    .map((name) => join(parent, name));
}

/** Clock ticks after boot at which a process started, or undefined when there is none. */
function startTime(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    // The command in brackets may hold spaces and brackets itself.
    return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19];
  } catch {
    return undefined;
  }
}

function pidNamespace(): string {
  return /\d+/.exec(readlinkSync("/proc/self/ns/pid"))?.[0] ?? "0";
}

/** Some parents lie in folders anyone may write to: one made by someone else is not used. */
function requireOwn(path: string): void {
  mkdirSync(path, { recursive: true, mode: 0o700 });
  const found = lstatSync(path);
  if (!found.isDirectory() || found.uid !== process.getuid?.()) {
    throw new HostsFailure(
      "commandFailed",
      `${path}: is a link or belongs to uid ${found.uid}, not to this user; remove it`,
    );
  }
  chmodSync(path, 0o700);
}
