import { copyFileSync, linkSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { Failure } from "../../contract/failures.ts";
import type { Lock, LockEntry } from "../../contract/lock.ts";
import { HOST_PATHS } from "../../contract/names.ts";
import { preferencesText } from "../backup/previous-debs.ts";
import { parseSimulation } from "../host/apt-output.ts";
import { allDebFacts, type DebFacts } from "../host/deb-facts.ts";
import { requireEnded } from "../host/ended.ts";
import { codeOf, onMachine, ownFolder } from "../host/files.ts";
import type { Machine } from "../host/machine.ts";
import type { Simulation } from "./apt-facts.ts";
import { verifyArchives } from "./archives.ts";

const WORLD = `${HOST_PATHS.state}/closed-world`;
const POOL = `${WORLD}/pool`;
const DEADLINE_MS = 120_000;

/** An apt that knows the locked packages and nothing else: it cannot fetch, choose or add. */
export interface ClosedWorld {
  /** Arguments that make apt-get see this world; the command comes after. */
  readonly options: readonly string[];
  /** The command that carries out the lock: what it removes is named, and nothing else is asked for by name. */
  readonly command: readonly string[];
  /** The lock with the names its files have in the pool. */
  readonly pooled: Lock;
}

/**
 * Makes a repository of exactly the locked files, in a folder only root can enter, and checks each byte there.
 * @param archives where the files of the lock lie
 * @throws Failure `hashMismatch`, `installFailed`
 */
export async function openClosedWorld(
  machine: Machine,
  lock: Lock,
  archives: string = HOST_PATHS.archives,
): Promise<ClosedWorld> {
  closeClosedWorld(machine);
  ownFolder(machine, HOST_PATHS.state, 0o700);
  ownFolder(machine, archives);
  for (const folder of [WORLD, POOL, `${WORLD}/lists`, `${WORLD}/lists/partial`, `${WORLD}/cache`])
    mkdirSync(onMachine(machine, folder), { mode: 0o700 });
  mkdirSync(onMachine(machine, `${WORLD}/cache/archives/partial`), { recursive: true, mode: 0o700 });
  // Plain names: the archive's own may hold percent signs, which apt would take for an encoding.
  const pooled = { ...lock, entries: lock.entries.map((entry, i) => ({ ...entry, file: `${i}-${entry.name}.deb` })) };
  for (const [i, entry] of lock.entries.entries())
    place(machine, `${archives}/${entry.file}`, `${POOL}/${pooled.entries[i]?.file}`);
  verifyArchives(machine, pooled, POOL);

  const debs = pooled.entries.map(({ file, sha256 }) => ({ path: `${POOL}/${file}`, sha256 }));
  const facts = await allDebFacts(machine, debs);
  const stanzas = pooled.entries.map((entry, i) => stanza(entry, facts[i] as DebFacts));
  const write = (path: string, text: string) => writeFileSync(onMachine(machine, path), text, { mode: 0o600 });
  write(`${POOL}/Packages`, stanzas.join("\n"));
  // Trusted because every byte was just held against the lock, which is stricter than any signature of a list.
  write(`${WORLD}/sources.list`, `deb [trusted=yes] file:${POOL} ./\n`);
  write(`${WORLD}/preferences`, preferencesText(lock.entries));
  write(`${WORLD}/apt.conf`, 'Dir::Etc::parts "/dev/null";\nDir::Etc::main "/dev/null";\n');
  const options = [...WORLD_OPTIONS];
  const update = await machine.exec("apt-get", ["update", ...options], {
    deadlineMs: DEADLINE_MS,
    env: { ...environment(), APT_CONFIG: `${WORLD}/apt.conf` },
  });
  if (requireEnded(update).exitCode !== 0)
    throw new Failure("installFailed", `apt-get update: ${update.stderr.trim()}`);
  return { options, command: ["dist-upgrade", ...lock.removals.map((r) => `${r.name}:${r.architecture}-`)], pooled };
}

/** Removes what openClosedWorld made. */
export function closeClosedWorld(machine: Pick<Machine, "root">): void {
  rmSync(onMachine(machine, WORLD), { recursive: true, force: true });
}

/** What apt would do in this world. @throws Failure `outsideLock` when it finds no way at all, `programKilled` */
export async function simulate(machine: Machine, options: readonly string[], command: readonly string[]) {
  const result = await machine.exec("apt-get", ["--simulate", "--yes", ...options, ...command], {
    deadlineMs: DEADLINE_MS,
    env: environment(),
  });
  if (requireEnded(result).exitCode !== 0) {
    const words = `${result.stderr.trim()} ${result.stdout.trim()}`.slice(-800);
    throw new Failure("outsideLock", `apt finds no way to do exactly what is locked: ${words}`);
  }
  return parseSimulation(result.stdout);
}

/** Pure: what apt would do beyond the lock, or leave undone, in words; empty when it is the very lock. */
export function deviations(lock: Lock, simulation: Simulation, native: string): string[] {
  const [installs, removals] = [new Map<string, string>(), new Set<string>()];
  for (const i of simulation.installs) installs.set(`${i.name}:${i.architecture}`, i.version);
  for (const r of simulation.removals) removals.add(`${r.name}:${r.architecture ?? native}`);
  const found: string[] = [];
  const locked = new Map(lock.entries.map((e) => [`${e.name}:${e.architecture}`, e.version]));
  for (const [key, version] of installs)
    if (locked.get(key) !== version) found.push(`would install ${key} ${version}, which is not locked`);
  for (const [key, version] of locked)
    if (!installs.has(key)) found.push(`would not install ${key} ${version}, which is locked`);
  // apt names the machine's own architecture where the lock may say `all`.
  const known = new Set(lock.removals.flatMap((r) => [`${r.name}:${r.architecture}`, ...allAs(r, native)]));
  for (const key of removals) if (!known.has(key)) found.push(`would remove ${key}, which is not locked`);
  for (const r of lock.removals)
    if (![`${r.name}:${r.architecture}`, ...allAs(r, native)].some((key) => removals.has(key)))
      found.push(`would not remove ${r.name}:${r.architecture}, which is locked`);
  return found;
}

/** The environment of every apt and dpkg: nobody is asked anything, and nothing is restarted in the middle. */
export function environment(extra: Readonly<Record<string, string>> = {}): Record<string, string> {
  return {
    PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    HOME: "/root",
    LC_ALL: "C",
    TERM: "dumb",
    DEBIAN_FRONTEND: "noninteractive",
    DEBIAN_PRIORITY: "critical",
    NEEDRESTART_SUSPEND: "1",
    APT_LISTCHANGES_FRONTEND: "none",
    APT_LISTBUGS_FRONTEND: "none",
    ...extra,
  };
}

const WORLD_OPTIONS = [
  `Dir::Etc::sourcelist=${WORLD}/sources.list`,
  "Dir::Etc::sourceparts=/dev/null",
  `Dir::Etc::preferences=${WORLD}/preferences`,
  "Dir::Etc::preferencesparts=/dev/null",
  `Dir::State::lists=${WORLD}/lists/`,
  `Dir::Cache=${WORLD}/cache/`,
  "APT::Sandbox::User=root",
  "APT::Get::AutomaticRemove=false",
  "APT::Get::List-Cleanup=false",
].flatMap((option) => ["-o", option]);

function allAs(removal: { name: string; architecture: string }, native: string): string[] {
  return removal.architecture === "all" ? [`${removal.name}:${native}`] : [];
}

function stanza(entry: LockEntry, { control }: DebFacts): string {
  return `${control.trimEnd()}\nFilename: ./${entry.file}\nSize: ${entry.size}\nSHA256: ${entry.sha256}\n`;
}

function place(machine: Machine, from: string, to: string): void {
  const [source, target] = [onMachine(machine, from), onMachine(machine, to)];
  try {
    linkSync(source, target);
  } catch (error) {
    if (codeOf(error) !== "EXDEV" && codeOf(error) !== "EPERM") throw missing(error, from);
    copyFileSync(source, target);
  }
}

function missing(error: unknown, path: string): Error {
  return codeOf(error) === "ENOENT" ? new Failure("hashMismatch", `${path} is not there`) : (error as Error);
}
