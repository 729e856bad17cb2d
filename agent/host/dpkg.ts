import { readdirSync } from "node:fs";
import { Failure } from "../../contract/failures.ts";
import { requireEnded } from "./ended.ts";
import { codeOf, onMachine } from "./files.ts";
import type { Machine } from "./machine.ts";

/** A package as dpkg's database has it. */
export interface DpkgPackage {
  readonly name: string;
  readonly architecture: string;
  readonly version: string;
  /** dpkg's abbreviation: wanted, state, error; `ii ` is whole. */
  readonly status: string;
  /** KiB, as the package says of itself. */
  readonly installedSizeKiB: number;
}

const FORMAT = "${Package}\\t${Architecture}\\t${Version}\\t${db:Status-Abbrev}\\t${Installed-Size}\\n";

/** Every package dpkg knows, removed ones with their configuration left included. */
export async function dpkgPackages(machine: Machine): Promise<DpkgPackage[]> {
  const result = await machine.exec("dpkg-query", ["-W", `-f=${FORMAT}`], { deadlineMs: 60_000 });
  if (requireEnded(result).exitCode !== 0) throw new Failure("internal", `dpkg-query: ${result.stderr.trim()}`);
  return parseDpkgQuery(result.stdout);
}

/** Pure: lines of dpkg-query in the format above. */
export function parseDpkgQuery(stdout: string): DpkgPackage[] {
  return stdout
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => {
      const [name = "", architecture = "", version = "", status = "", size = ""] = line.split("\t");
      return { name, architecture, version, status, installedSizeKiB: Number(size) || 0 };
    });
}

/** The source package that an installed package was built from. */
export interface InstalledSource {
  readonly name: string;
  readonly architecture: string;
  readonly source: string;
  /** The source's version: `2.03.16-2` where dmsetup's own is `2:1.02.185-2`. */
  readonly sourceVersion: string;
}

/** What every installed package was built from. */
export async function installedSources(machine: Machine): Promise<InstalledSource[]> {
  const format = "${Package}\\t${Architecture}\\t${source:Package}\\t${source:Version}\\n";
  const result = await machine.exec("dpkg-query", ["-W", `-f=${format}`], { deadlineMs: 60_000 });
  if (requireEnded(result).exitCode !== 0) throw new Failure("internal", `dpkg-query: ${result.stderr.trim()}`);
  return result.stdout
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => {
      const [name = "", architecture = "", source = "", sourceVersion = ""] = line.split("\t");
      return { name, architecture, source, sourceVersion };
    });
}

/** Debian's name of the machine's own architecture. */
export async function nativeArchitecture(machine: Machine): Promise<string> {
  const result = await machine.exec("dpkg", ["--print-architecture"], { deadlineMs: 10_000 });
  if (requireEnded(result).exitCode !== 0)
    throw new Failure("internal", `dpkg --print-architecture: ${result.stderr.trim()}`);
  return result.stdout.trim();
}

const STATE_WORDS: Readonly<Record<string, string>> = {
  H: "half-installed",
  U: "unpacked, not configured",
  F: "half-configured",
  W: "awaiting triggers",
  t: "with triggers pending",
};

/** Pure: packages that dpkg left unfinished, in words; empty when all is well. */
export function unfinishedPackages(packages: readonly DpkgPackage[]): string[] {
  return packages.flatMap((p) => {
    const state = STATE_WORDS[p.status.charAt(1)];
    if (state !== undefined) return [`${p.name} ${p.version} is ${state}`];
    return p.status.charAt(2) === "R" ? [`${p.name} ${p.version} must be reinstalled`] : [];
  });
}

/** Whether dpkg was interrupted in the middle of writing its database. */
export function hasDpkgUpdates(machine: Pick<Machine, "root">): boolean {
  try {
    return readdirSync(onMachine(machine, "/var/lib/dpkg/updates")).some((name) => /^\d+$/.test(name));
  } catch (error) {
    if (codeOf(error) === "ENOENT") return false;
    throw error;
  }
}
