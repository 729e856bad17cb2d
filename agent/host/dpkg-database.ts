import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { dirname, posix } from "node:path";
import { parseStanzas } from "./apt-output.ts";
import { codeOf, lstatOrNull, onMachine } from "./files.ts";
import type { Machine } from "./machine.ts";

type Rooted = Pick<Machine, "root">;
const DPKG = "/var/lib/dpkg";

/** A file as its package brought it. */
export interface PackagedFile {
  readonly package: string;
  /** Where it lies: diversions and folders that are links are followed. */
  readonly path: string;
  readonly md5: string;
}

/** What dpkg knows of the content of all installed packages' files. */
export interface DpkgSums {
  /** Names, with `:arch` where dpkg keeps several architectures apart. */
  readonly packages: readonly string[];
  /** Without configuration files. */
  readonly files: readonly PackagedFile[];
  readonly conffiles: readonly PackagedFile[];
  /** Packages that have files and no checksums. */
  readonly withoutSums: readonly string[];
  /** Whether dpkg was told never to unpack a path. */
  readonly excluded: (path: string) => boolean;
}

/** Reads dpkg's own records, no program between. */
export function readDpkgSums(machine: Rooted): DpkgSums {
  const place = placing(machine);
  const conffiles = readConffiles(machine).map((one) => ({ ...one, path: place(one.path, one.package) }));
  const configuration = new Set(conffiles.map((one) => one.path));
  const files: PackagedFile[] = [];
  const info = names(machine, `${DPKG}/info`);
  const summed = new Set<string>();
  for (const name of info) {
    if (!name.endsWith(".md5sums")) continue;
    const owner = name.slice(0, -".md5sums".length);
    const bare = owner.split(":")[0] ?? owner;
    summed.add(owner);
    for (const line of text(machine, `${DPKG}/info/${name}`).split("\n")) {
      if (line.length < 35) continue;
      const path = place(`/${line.slice(34)}`, bare);
      if (!configuration.has(path)) files.push({ package: owner, path, md5: line.slice(0, 32) });
    }
  }
  const packages = info.filter((name) => name.endsWith(".list")).map((name) => name.slice(0, -".list".length));
  return {
    packages,
    files,
    conffiles,
    withoutSums: packages.filter((owner) => !summed.has(owner) && bringsFiles(machine, owner, configuration)),
    excluded: pathExcludes(machine),
  };
}

/** Every path that some package lists, where it lies. */
export function readOwnedPaths(machine: Rooted): ReadonlySet<string> {
  const place = placing(machine);
  const owned = new Set<string>();
  for (const name of names(machine, `${DPKG}/info`)) {
    if (!name.endsWith(".list")) continue;
    const bare = name.slice(0, -".list".length).split(":")[0] ?? name;
    for (const path of text(machine, `${DPKG}/info/${name}`).split("\n"))
      if (path.startsWith("/") && path !== "/.") owned.add(place(path, bare));
  }
  for (const { path } of readConffiles(machine)) owned.add(path);
  return owned;
}

/** Where a package's path really lies. */
function placing(machine: Rooted): (path: string, by: string) => string {
  const settle = settledPaths(machine);
  const diverted = diversions(machine);
  return (path, by) => {
    const to = diverted.get(path);
    return settle(to !== undefined && to.package !== by ? to.to : path);
  };
}

/** A package that lists only folders, links and configuration files needs no checksums. */
function bringsFiles(machine: Rooted, owner: string, configuration: ReadonlySet<string>): boolean {
  return text(machine, `${DPKG}/info/${owner}.list`)
    .split("\n")
    .some(
      (path) => path !== "" && !configuration.has(path) && lstatOrNull(onMachine(machine, path))?.isFile() === true,
    );
}

function readConffiles(machine: Rooted): PackagedFile[] {
  return parseConffiles(text(machine, `${DPKG}/status`));
}

/** Pure: the Conffiles of dpkg's status file, without those that the package no longer has. */
export function parseConffiles(status: string): PackagedFile[] {
  return parseStanzas(status).flatMap((fields) => {
    if (!/ installed$/.test(fields.get("Status") ?? "")) return [];
    return (fields.get("Conffiles") ?? "").split("\n").flatMap((line) => {
      const match = /^(\/.+) ([0-9a-f]{32})( remove-on-upgrade)?$/.exec(line);
      return match === null
        ? []
        : [{ package: fields.get("Package") ?? "", path: match[1] ?? "", md5: match[2] ?? "" }];
    });
  });
}

/** How many packages are wholly installed, by dpkg's status file. */
export function installedCount(machine: Rooted): number {
  return text(machine, `${DPKG}/status`).match(/^Status: install ok installed$/gm)?.length ?? 0;
}

/** Owner and mode that an administrator or a maintainer script laid down with dpkg-statoverride. */
export function statOverrides(machine: Rooted): ReadonlySet<string> {
  const settle = settledPaths(machine);
  return new Set(
    text(machine, `${DPKG}/statoverride`)
      .split("\n")
      .flatMap((line) => {
        const path = line.split(" ").slice(3).join(" ");
        return path === "" ? [] : [settle(path)];
      }),
  );
}

function diversions(machine: Rooted): Map<string, { to: string; package: string }> {
  const lines = text(machine, `${DPKG}/diversions`).split("\n");
  const found = new Map<string, { to: string; package: string }>();
  for (let i = 0; i + 2 < lines.length; i += 3)
    found.set(lines[i] ?? "", { to: lines[i + 1] ?? "", package: lines[i + 2] ?? "" });
  return found;
}

/** Follows folders that are links, as /bin on a merged-/usr host; each folder is looked up once. */
export function settledPaths(machine: Rooted): (path: string) => string {
  const known = new Map<string, string>([["/", "/"]]);
  const folder = (path: string, depth: number): string => {
    const before = known.get(path);
    if (before !== undefined) return before;
    const parent = folder(dirname(path), depth);
    const here = `${parent === "/" ? "" : parent}/${path.slice(path.lastIndexOf("/") + 1)}`;
    const target = linkTarget(machine, here);
    const there =
      target === null || depth > 20
        ? here
        : folder(normal(target.startsWith("/") ? target : `${parent}/${target}`), depth + 1);
    known.set(path, there);
    return there;
  };
  return (path) => {
    const slash = path.lastIndexOf("/");
    const parent = folder(path.slice(0, slash) || "/", 0);
    return `${parent === "/" ? "" : parent}${path.slice(slash)}`;
  };
}

function normal(path: string): string {
  return posix.normalize(path).replace(/(.)\/+$/, "$1");
}

function linkTarget(machine: Rooted, path: string): string | null {
  const full = onMachine(machine, path);
  return lstatOrNull(full)?.isSymbolicLink() === true ? readlinkSync(full) : null;
}

/** dpkg's path-exclude and path-include, the last that fits decides. */
function pathExcludes(machine: Rooted): (path: string) => boolean {
  const folder = "/etc/dpkg/dpkg.cfg.d";
  const files = ["/etc/dpkg/dpkg.cfg", ...names(machine, folder).map((name) => `${folder}/${name}`)];
  const rules = files.flatMap((file) => parsePathRules(text(machine, file)));
  return (path) => rules.findLast((rule) => rule.pattern.test(path))?.exclude ?? false;
}

/** Pure: rules of dpkg.cfg in order. A `*` also matches slashes, as with dpkg. */
export function parsePathRules(config: string): { exclude: boolean; pattern: RegExp }[] {
  return config.split("\n").flatMap((line) => {
    const match = /^\s*path-(exclude|include)[= ]\s*(\S.*?)\s*$/.exec(line);
    if (match === null) return [];
    const pattern = (match[2] ?? "")
      .replace(/[.+^${}()|\\]/g, "\\$&")
      .replaceAll("*", ".*")
      .replaceAll("?", ".");
    return [{ exclude: match[1] === "exclude", pattern: new RegExp(`^${pattern}$`) }];
  });
}

function text(machine: Rooted, path: string): string {
  try {
    return readFileSync(onMachine(machine, path), "utf8");
  } catch (error) {
    if (codeOf(error) === "ENOENT") return "";
    throw error;
  }
}

function names(machine: Rooted, folder: string): string[] {
  try {
    return readdirSync(onMachine(machine, folder)).sort();
  } catch (error) {
    if (codeOf(error) === "ENOENT") return [];
    throw error;
  }
}
