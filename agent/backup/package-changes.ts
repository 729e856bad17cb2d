import type { LockRemoval } from "../../contract/lock.ts";
import type { PackageState } from "./manifest.ts";
import type { InstalledVersion, KeptDeb } from "./previous-debs.ts";

/** What has to be done by .debs so that the same packages are installed as once. */
export interface ChangesBack {
  readonly debs: readonly KeptDeb[];
  /** Of those, what is not installed now and so must be asked for by name. */
  readonly again: readonly string[];
  /** Installed since. */
  readonly removals: readonly LockRemoval[];
  /** `name version`, of which there is no .deb. */
  readonly lacking: readonly string[];
}

/** Pure: from what is installed now to what was, by the .debs there are. */
export function changesBack(was: PackageState, is: PackageState, debs: readonly KeptDeb[]): ChangesBack {
  const [before, now] = [installedOf(was), installedOf(is)];
  const known = new Map(now.map((p) => [`${p.name}:${p.architecture}`, p.version]));
  const changed = before.filter((p) => known.get(`${p.name}:${p.architecture}`) !== p.version);
  const found = changed.map((p) => debs.find((deb) => sameVersion(deb, p)));
  const wanted = found.filter((deb) => deb !== undefined);
  // A package may have changed from one architecture to `all` or back: then the new one is replaced, not removed.
  const stays = (p: InstalledVersion) =>
    before.some((b) => b.name === p.name && (b.architecture === p.architecture || isAll(b) || isAll(p)));
  return {
    debs: wanted,
    again: wanted
      .filter((deb) => !now.some((p) => p.name === deb.name))
      .map((deb) => (isAll(deb) ? deb.name : `${deb.name}:${deb.architecture}`)),
    removals: now.filter((p) => !stays(p)),
    lacking: changed.filter((_, i) => found[i] === undefined).map((p) => `${p.name} ${p.version}`),
  };
}

/** Pure: packages that left their configuration behind and were not known at all before. */
export function toPurge(was: PackageState, is: PackageState): string[] {
  const known = new Set(was.packages.map((line) => line.split(" ")[0]));
  return is.packages.flatMap((line) => {
    const [named = "", , , status = ""] = line.split(" ");
    return status.charAt(1) === "c" && !known.has(named) ? [named] : [];
  });
}

/** Pure: arguments of apt-mark, one call each, that make marks and holds what they were; only of what is installed now. */
export function marksBack(was: PackageState, is: PackageState): string[][] {
  const there = new Set(is.packages.map((line) => line.split(" ")[0]));
  const only = (a: readonly string[], b: readonly string[]) => a.filter((one) => !b.includes(one) && there.has(one));
  const calls: [string, string[]][] = [
    ["auto", only(was.autoMarks, is.autoMarks)],
    ["manual", only(is.autoMarks, was.autoMarks)],
    ["hold", only(was.holds, is.holds)],
    ["unhold", only(is.holds, was.holds)],
  ];
  return calls.flatMap(([verb, names]) => (names.length === 0 ? [] : [[verb, ...names]]));
}

function installedOf(state: PackageState): InstalledVersion[] {
  return state.packages.flatMap((line) => {
    const [named = "", architecture = "", version = "", status = ""] = line.split(" ");
    // Neither removed nor with its configuration left alone: `ii`, `hi`, and whatever dpkg did not finish.
    const gone = status.charAt(1) === "n" || status.charAt(1) === "c";
    return gone ? [] : [{ name: named.split(":")[0] ?? named, architecture, version }];
  });
}

function sameVersion(deb: KeptDeb, p: InstalledVersion): boolean {
  return deb.name === p.name && deb.version === p.version && deb.architecture === p.architecture;
}

function isAll(p: { readonly architecture: string }): boolean {
  return p.architecture === "all";
}
