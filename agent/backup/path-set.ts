import type { PathStat, Tree } from "../host/tree.ts";
import { canonicalIn, type Diversion } from "./canonical.ts";
import { PACKAGE_SCOPE } from "./scope.ts";

/** What is known before a change about what it will touch. */
export interface ExpectedChange {
  /** Names of all packages that are installed, replaced or removed. */
  readonly packages: readonly string[];
  /** Paths in the file lists of the packages as they are installed now. */
  readonly oldPaths: readonly string[];
  /** Paths in the new .debs. */
  readonly newPaths: readonly string[];
  /** Paths that their maintainer scripts name. */
  readonly mentioned: readonly string[];
  readonly diversions: readonly Diversion[];
  /** Paths that the change created, changed or removed when it was rehearsed; absent when it was not. */
  readonly rehearsed?: readonly string[];
}

/** The paths to keep. */
export interface PathSet {
  /** Paths that exist, in order: folders before what lies in them. */
  readonly present: readonly string[];
  /** Paths that the change will make and that do not exist yet. */
  readonly absent: readonly string[];
  /** What may change and is not kept, and why. */
  readonly notCovered: readonly { readonly path: string; readonly why: string }[];
}

/** Kept as a whole on every host: configuration, and what records what is installed. */
const ALWAYS = [
  "/etc",
  "/var/lib/dpkg",
  "/var/lib/ucf",
  "/var/lib/pam",
  "/var/lib/python",
  "/var/lib/dictionaries-common",
  "/var/lib/ispell",
  "/var/lib/aspell",
  "/var/lib/xml-core",
  "/var/lib/sgml-base",
  "/var/lib/vim",
  "/var/lib/emacsen-common",
  "/var/lib/shells.state",
  "/var/lib/apt/extended_states",
  "/var/lib/systemd/catalog",
  "/var/lib/systemd/deb-systemd-helper-enabled",
  "/var/lib/systemd/deb-systemd-helper-masked",
  "/var/lib/systemd/deb-systemd-user-helper-enabled",
  "/var/lib/systemd/deb-systemd-user-helper-masked",
  "/var/lib/grub",
  "/var/lib/initramfs-tools",
  "/var/lib/dkms",
  "/var/cache/debconf",
  "/var/cache/ldconfig",
  "/var/cache/fontconfig",
  "/var/cache/man",
  "/usr/share/mime",
  "/usr/share/info/dir",
  "/usr/share/info/dir.old",
  "/usr/lib/locale",
];

/** Kept wherever they lie: what dpkg triggers and interpreters rebuild. */
const CACHES =
  /\/(__pycache__(\/.*)?|gschemas\.compiled|icon-theme\.cache|mimeinfo\.cache|giomodule\.cache|loaders\.cache|immodules\.cache|modules\.[a-z.]+|hwdb\.bin|ls-R|perllocal\.pod)$/;

/** Bytes and paths of state that one package may have under /var/lib for it to be kept. */
const STATE_BYTES = 64 << 20;
const STATE_PATHS = 5_000;
const BOOT_BYTES = 600 << 20;

/** Decides what a backup must hold so that the change can be undone. Pure. */
export function pathSet(change: ExpectedChange, before: Tree): PathSet {
  const wanted = new Set<string>();
  const absent = new Set<string>();
  const notCovered: { path: string; why: string }[] = [];
  const diverted = new Map(change.diversions.map((d) => [d.from, d.to]));

  const realOf = canonicalIn(before.paths);
  for (const listed of new Set([...change.oldPaths, ...change.newPaths])) {
    for (const path of [listed, diverted.get(listed), `${listed}.dpkg-dist`, `${listed}.dpkg-old`]) {
      if (path === undefined) continue;
      const real = realOf(path);
      if (before.paths.has(real)) wanted.add(real);
      else if (path === listed || path === diverted.get(listed)) absent.add(real);
    }
  }
  for (const path of change.mentioned) {
    const real = realOf(path);
    const type = before.paths.get(real)?.type;
    if ((type === "file" || type === "link") && !within(real, "/var")) wanted.add(real);
  }
  const own = stateFolderNames(change);
  for (const path of change.rehearsed ?? []) {
    if (!isLookedAt(path, before)) continue;
    if (!packagesOwn(path, own)) notCovered.push({ path, why: "the change touches it: data of another application" });
    else if (before.paths.has(path)) for (const below of subtree(path, before.paths)) wanted.add(below);
    else absent.add(path);
  }
  const state = stateFolders(change, before.paths);
  const boot = new Map<string, PathStat>();
  const always = withinSome(ALWAYS);
  for (const [path, stat] of before.paths) {
    if (stat.type === "directory" || always(path) || CACHES.test(path)) wanted.add(path);
    else if (stat.type === "link" && stat.target?.startsWith("/etc/alternatives/")) wanted.add(path);
    else if (within(path, "/boot")) boot.set(path, stat);
  }
  const keepSmall = (folder: string, paths: ReadonlyMap<string, PathStat>, mostBytes: number) => {
    const bytes = sum(paths);
    if (bytes <= mostBytes && paths.size <= STATE_PATHS) for (const path of paths.keys()) wanted.add(path);
    else notCovered.push({ path: folder, why: `${paths.size} paths, ${bytes} bytes: too large to keep` });
  };
  for (const [folder, paths] of state) keepSmall(folder, paths, STATE_BYTES);
  keepSmall("/boot", boot, BOOT_BYTES);

  for (const path of [...wanted]) if (before.paths.get(path)?.type === "other") wanted.delete(path);
  for (const { path, why } of before.skipped) {
    wanted.delete(path);
    notCovered.push({ path, why });
  }
  return {
    present: [...wanted].sort(byPath),
    absent: [...absent].filter((path) => !wanted.has(path)).sort(byPath),
    notCovered,
  };
}

/** Whether a path lies where a scan would have found it. */
function isLookedAt(path: string, before: Tree): boolean {
  if (PACKAGE_SCOPE.leftOut[path] !== undefined) return false;
  if (before.skipped.some((skipped) => within(path, skipped.path))) return false;
  for (let above = path; above !== ""; above = above.slice(0, above.lastIndexOf("/")))
    if (before.paths.has(above)) return true;
  return false;
}

/** A path and, when it is a folder, all that lies in it: a folder that was removed is one mark in an overlay. */
function subtree(path: string, paths: ReadonlyMap<string, PathStat>): string[] {
  if (paths.get(path)?.type !== "directory") return [path];
  return [...paths.keys()].filter((one) => within(one, path));
}

/** Asks of many paths whether they lie in one of some folders: what was found of a folder holds for all that lies in it. */
function withinSome(folders: readonly string[]): (path: string) => boolean {
  const known = new Map<string, boolean>([["", false], ...folders.map((folder) => [folder, true] as const)]);
  const ask = (path: string): boolean => {
    const there = known.get(path);
    if (there !== undefined) return there;
    const above = path.slice(0, path.lastIndexOf("/"));
    const found = ask(above);
    known.set(path, found);
    return found;
  };
  return ask;
}

/** Whether a path is a folder or lies in it. */
export function within(path: string, folder: string): boolean {
  return path === folder || (path.startsWith(folder) && path.charAt(folder.length) === "/");
}

/**
 * Whether a path is the packages' own, to be put back and cleaned as a whole. The rest of /var is applications' data, which a
 * rollback of packages must not touch. Pure.
 * @param stateFolders those of the packages in question
 */
export function packagesOwn(path: string, stateFolders: ReadonlySet<string>): boolean {
  if (!within(path, "/var") || path === "/var" || path === "/var/lib" || path === "/var/cache") return true;
  if (ALWAYS.some((top) => within(path, top)) || CACHES.test(path)) return true;
  const top = topOfState(path);
  return top !== null && stateFolders.has(top);
}

/** The folder directly under /var/lib that a path lies in, or null. */
export function topOfState(path: string): string | null {
  return /^\/var\/lib\/[^/]+/.exec(path)?.[0] ?? null;
}

/** Folders before what lies in them, the same everywhere. */
export function byPath(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** The folders directly under /var/lib that belong to the packages of a change, by their lists or by their name. */
export function stateFolderNames(change: Pick<ExpectedChange, "packages" | "oldPaths" | "newPaths">): Set<string> {
  const names = new Set(change.packages.map((name) => `/var/lib/${name}`));
  for (const path of [...change.oldPaths, ...change.newPaths]) {
    const top = topOfState(path);
    if (top !== null) names.add(top);
  }
  for (const shared of ["/var/lib/dpkg", "/var/lib/apt", "/var/lib/systemd", "/var/lib/misc"]) names.delete(shared);
  return names;
}

function stateFolders(
  change: ExpectedChange,
  paths: ReadonlyMap<string, PathStat>,
): Map<string, Map<string, PathStat>> {
  const folders = new Map([...stateFolderNames(change)].map((name) => [name, new Map<string, PathStat>()]));
  for (const [path, stat] of paths) {
    folders.get(topOfState(path) ?? "")?.set(path, stat);
  }
  for (const [name, found] of folders) if (found.size === 0) folders.delete(name);
  return folders;
}

function sum(paths: ReadonlyMap<string, PathStat>): number {
  let bytes = 0;
  for (const stat of paths.values()) if (stat.type === "file") bytes += stat.size;
  return bytes;
}
