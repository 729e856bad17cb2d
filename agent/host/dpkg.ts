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
  if (result.exitCode !== 0) throw new Failure("internal", `dpkg-query: ${result.stderr.trim()}`);
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

/** Debian's name of the machine's own architecture. */
export async function nativeArchitecture(machine: Machine): Promise<string> {
  const result = await machine.exec("dpkg", ["--print-architecture"], { deadlineMs: 10_000 });
  if (result.exitCode !== 0) throw new Failure("internal", `dpkg --print-architecture: ${result.stderr.trim()}`);
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

/** The fields of a .deb that say what it is, read by dpkg-deb. */
export interface ControlFields {
  readonly name: string;
  readonly version: string;
  readonly architecture: string;
}

/** @throws Failure `hashMismatch` when the file is no Debian package. */
export async function debControl(machine: Machine, deb: string): Promise<ControlFields> {
  const format = "${Package}\\n${Version}\\n${Architecture}\\n";
  const result = await machine.exec("dpkg-deb", ["-W", `--showformat=${format}`, deb], { deadlineMs: 60_000 });
  const [name = "", version = "", architecture = ""] = result.stdout.split("\n");
  if (requireEnded(result).exitCode !== 0)
    throw new Failure("hashMismatch", `${deb} is no Debian package: ${result.stderr.trim()}`);
  return { name, version, architecture };
}
