import * as z from "zod";
import { CveId } from "../../contract/cve.ts";
import { HOST_PATHS } from "../../contract/names.ts";
import type { PlannedPackage } from "../../contract/step-report.ts";
import { readDebChangelog } from "../host/deb-changelog.ts";
import { type InstalledSource, installedSources } from "../host/dpkg.ts";
import { ownFolder, readOwn, writeOwn } from "../host/files.ts";
import type { Machine } from "../host/machine.ts";
import { type Changelog, type FixedCves, fixedSince, parseChangelog } from "./cves.ts";

/** For all packages together: what is not read by then is not known. */
const DEADLINE_MS = 120_000;
/** Each is a dpkg-deb that unpacks. */
const AT_ONCE = 2;
/** Entries kept of a changelog: years of them. */
const ENTRIES = 300;

/** What was read of the changelogs of the .debs of the last plan, by SHA-256; null for one that brings none. */
const CACHE = `${HOST_PATHS.state}/changelogs.json`;
const Entry = z.object({ version: z.string(), cves: z.array(CveId) });
const Cache = z.record(z.string(), z.object({ source: z.string(), entries: z.array(Entry) }).nullable());

/** Updates built from one source at one version: they have one changelog. */
interface Group {
  readonly installed: InstalledSource;
  /** The smallest .deb first. */
  readonly packages: PlannedPackage[];
}

/**
 * Reads the CVE ids that planned packages fix from the changelogs in their downloaded .debs. Never fails: what cannot be read
 * stays unknown and is logged. Once read, a .deb is not read again.
 * @param there whether a package's very .deb lies in the archives
 * @returns the packages in their order, with `cves` and `cvesIncomplete`; a package new on the host fixes nothing
 */
export async function withCves(
  machine: Machine,
  packages: readonly PlannedPackage[],
  there: (one: PlannedPackage) => boolean,
): Promise<PlannedPackage[]> {
  try {
    const updates = packages.filter((one) => one.from !== null && there(one));
    if (updates.length === 0) return [...packages];
    const known = new Map(Object.entries(readCache(machine)));
    const groups = groupsOf(updates, await installedSources(machine));
    const found = await readGroups(machine, groups, known);
    keepCache(machine, new Map(packages.flatMap(({ sha256 }) => entryOf(known, sha256))));
    return packages.map((one) => {
      const fixed = found.get(one);
      return fixed === undefined ? one : { ...one, cves: fixed.cves, cvesIncomplete: fixed.incomplete };
    });
  } catch (error) {
    machine.log.warn(`which CVEs the updates fix is not known: ${(error as Error).message}`);
    return [...packages];
  }
}

function groupsOf(updates: readonly PlannedPackage[], sources: readonly InstalledSource[]): Group[] {
  const groups = new Map<string, Group>();
  for (const one of [...updates].sort((a, b) => a.size - b.size)) {
    const named = sources.filter((s) => s.name === one.name);
    const installed = named.find((s) => s.architecture === one.architecture) ?? named[0];
    if (installed === undefined) continue;
    // A rebuild of one architecture, +b1, has the source's changelog.
    const key = [installed.source, installed.sourceVersion, one.version.replace(/\+b\d+$/, "")].join(" ");
    const group = groups.get(key) ?? { installed, packages: [] };
    group.packages.push(one);
    groups.set(key, group);
  }
  return [...groups.values()];
}

async function readGroups(
  machine: Machine,
  groups: readonly Group[],
  known: Map<string, Changelog | null>,
): Promise<Map<PlannedPackage, FixedCves>> {
  const until = machine.clock.now().getTime() + DEADLINE_MS;
  const found = new Map<PlannedPackage, FixedCves>();
  const waiting = [...groups];
  const work = async () => {
    for (let group = waiting.shift(); group !== undefined; group = waiting.shift()) {
      const { installed, packages } = group;
      const changelog = await changelogOf(machine, packages, known, until);
      if (changelog === null || changelog.source !== installed.source) {
        const why = changelog === null ? "no changelog could be read" : `its changelog is that of ${changelog.source}`;
        machine.log.warn(`${packages.map((p) => p.name).join(", ")}: which CVEs it fixes is not known: ${why}`);
        continue;
      }
      for (const one of packages) found.set(one, fixedSince(changelog, installed.sourceVersion));
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  return found;
}

/** The changelog of a group: of its first package that brings one; the others' folders may be links to that one's. */
async function changelogOf(
  machine: Machine,
  packages: readonly PlannedPackage[],
  known: Map<string, Changelog | null>,
  until: number,
): Promise<Changelog | null> {
  for (const one of packages) {
    let changelog = known.get(one.sha256);
    if (changelog === undefined) {
      const left = until - machine.clock.now().getTime();
      if (left <= 0) return null;
      try {
        const text = await readDebChangelog(machine, one.name, `${HOST_PATHS.archives}/${one.file}`, left);
        changelog = text === null ? null : parseChangelog(text);
        if (changelog !== null) changelog = { ...changelog, entries: changelog.entries.slice(0, ENTRIES) };
        known.set(one.sha256, changelog);
      } catch (error) {
        machine.log.warn(`${one.file}: its changelog cannot be read: ${(error as Error).message}`);
      }
    }
    if (changelog !== null && changelog !== undefined) return changelog;
  }
  return null;
}

function entryOf(known: ReadonlyMap<string, Changelog | null>, sha256: string): [string, Changelog | null][] {
  const changelog = known.get(sha256);
  return changelog === undefined ? [] : [[sha256, changelog]];
}

function readCache(machine: Machine): z.infer<typeof Cache> {
  const text = readOwn(machine, CACHE);
  if (text === null) return {};
  try {
    return Cache.parse(JSON.parse(text));
  } catch {
    return {};
  }
}

function keepCache(machine: Machine, known: ReadonlyMap<string, Changelog | null>): void {
  ownFolder(machine, HOST_PATHS.state, 0o700);
  writeOwn(machine, CACHE, `${JSON.stringify(Object.fromEntries(known))}\n`, 0o600);
}
