import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { Failure } from "../../contract/failures.ts";
import type { Lock } from "../../contract/lock.ts";
import { HOST_PATHS } from "../../contract/names.ts";
import { allDebFacts } from "../host/deb-facts.ts";
import { onMachine } from "../host/files.ts";
import type { Machine } from "../host/machine.ts";
import { mentionedPaths, parseContents, parseDiversions } from "./canonical.ts";
import type { PackageState } from "./manifest.ts";
import type { ExpectedChange } from "./path-set.ts";

const DPKG = "/var/lib/dpkg";
const SCRIPTS = ["preinst", "postinst", "prerm", "postrm"];

/**
 * What is installed, marked and held, from dpkg and from the file in which apt keeps its marks: `apt-mark`, which reads the same,
 * first opens every package list, which takes longer than the rest of a backup in which nothing changed.
 */
export async function packageState(machine: Machine): Promise<PackageState> {
  const format = "-f=${binary:Package}\\t${Package}\\t${Architecture}\\t${Version}\\t${db:Status-Abbrev}\\n";
  const rows = (await lines(machine, "dpkg-query", ["-W", format])).map((line) => line.split("\t"));
  const marked = parseAutoMarks(textOf(machine, "/var/lib/apt/extended_states"));
  const packages: string[] = [];
  const autoMarks: string[] = [];
  const holds: string[] = [];
  for (const [shown = "", name = "", architecture = "", version = "", status = ""] of rows) {
    packages.push(`${shown} ${architecture} ${version} ${status}`);
    if (status.startsWith("h")) holds.push(shown);
    // apt keeps packages of every architecture under the machine's own.
    const of = marked.get(name);
    if (status.charAt(1) !== "n" && status.charAt(1) !== "c" && of !== undefined)
      if (architecture === "all" || of.has(architecture)) autoMarks.push(shown);
  }
  return { packages, autoMarks, holds };
}

/** Pure: architectures of the packages that apt's extended_states calls installed by itself, by name. */
export function parseAutoMarks(text: string): Map<string, Set<string>> {
  const found = new Map<string, Set<string>>();
  for (const stanza of text.split(/\n\n+/)) {
    const field = (key: string) => new RegExp(`^${key}: *(.*)$`, "m").exec(stanza)?.[1] ?? "";
    if (field("Auto-Installed") !== "1") continue;
    const name = field("Package");
    found.set(name, (found.get(name) ?? new Set()).add(field("Architecture")));
  }
  return found;
}

/** SHA-256 of dpkg's status file: it changes with every package operation. */
export function statusDigest(machine: Pick<Machine, "root">): string {
  return createHash("sha256")
    .update(readFileSync(onMachine(machine, `${DPKG}/status`)))
    .digest("hex");
}

/** What a lock will touch: lists of what is installed now, contents of the locked .debs, diversions. */
export async function expectedChange(
  machine: Machine,
  lock: Lock,
  fetched: Lock["entries"] = lock.entries,
): Promise<ExpectedChange> {
  const names = [...lock.entries, ...lock.removals].map((entry) => entry.name);
  const debs = fetched.map(({ file, sha256 }) => ({ path: `${HOST_PATHS.archives}/${file}`, sha256 }));
  const facts = await allDebFacts(machine, debs);
  const newPaths = facts.flatMap(({ contents }) => parseContents(contents));
  const newScripts = facts.flatMap(({ scripts }) => scripts.flatMap(mentionedPaths));
  const mentioned = [...oldScriptPaths(machine, new Set(names)), ...newScripts];
  return {
    packages: names,
    oldPaths: listedPaths(machine, new Set(names)),
    newPaths,
    mentioned,
    diversions: parseDiversions(textOf(machine, `${DPKG}/diversions`)),
  };
}

/** Paths that the maintainer scripts of the installed packages name. */
function oldScriptPaths(machine: Pick<Machine, "root">, names: ReadonlySet<string>): string[] {
  const folder = onMachine(machine, `${DPKG}/info`);
  return readdirSync(folder).flatMap((file) => {
    const match = /^([^:]+)(?::.+)?\.(\w+)$/.exec(file);
    if (match === null || !names.has(match[1] ?? "") || !SCRIPTS.includes(match[2] ?? "")) return [];
    return mentionedPaths(readFileSync(`${folder}/${file}`, "utf8"));
  });
}

/** A host that never diverted or marked anything may lack the file. */
function textOf(machine: Pick<Machine, "root">, path: string): string {
  const full = onMachine(machine, path);
  return existsSync(full) ? readFileSync(full, "utf8") : "";
}

/** Paths in dpkg's lists of the named packages, whatever their architecture. */
function listedPaths(machine: Pick<Machine, "root">, names: ReadonlySet<string>): string[] {
  const folder = onMachine(machine, `${DPKG}/info`);
  return readdirSync(folder).flatMap((file) => {
    const match = /^([^:]+)(:.+)?\.list$/.exec(file);
    if (match === null || !names.has(match[1] ?? "")) return [];
    return readFileSync(`${folder}/${file}`, "utf8")
      .split("\n")
      .filter((path) => path.startsWith("/") && path !== "/.");
  });
}

async function lines(machine: Machine, file: string, args: readonly string[]): Promise<string[]> {
  const result = await machine.exec(file, args, { deadlineMs: 60_000 });
  if (result.exitCode !== 0) throw new Failure("internal", `${file} ${args[0]}: ${result.stderr.trim()}`);
  return result.stdout
    .split("\n")
    .filter((line) => line !== "")
    .sort();
}
