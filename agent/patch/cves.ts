import { sortedCves } from "../../contract/cve.ts";
import { compareVersions } from "./debian-version.ts";

/** One entry of a Debian changelog, and the CVE ids it names. */
export interface ChangelogEntry {
  /** The source's version, not always that of its packages. */
  readonly version: string;
  readonly cves: readonly string[];
}

/** A Debian changelog, newest entry first. */
export interface Changelog {
  /** Name of the source package, by the newest entry. */
  readonly source: string;
  readonly entries: readonly ChangelogEntry[];
}

/** What an update fixes by what its changelog says of itself. */
export interface FixedCves {
  /** Sorted by year and number, each once. */
  readonly cves: string[];
  /** The changelog ends before the installed version, as Ubuntu cuts it: there may be more. */
  readonly incomplete: boolean;
}

/** deb-changelog(5): `openssl (3.0.22-1~deb12u2) bookworm-security; urgency=high` */
const HEADING = /^([a-z0-9][a-z0-9+.-]*) \(([^() \t]+)\)(?: [-+0-9a-z.]+)+;/i;

/** Pure: null for what is no Debian changelog, such as upstream's own. */
export function parseChangelog(text: string): Changelog | null {
  let source: string | null = null;
  const entries: { version: string; text: string }[] = [];
  for (const line of text.split("\n")) {
    const heading = HEADING.exec(line);
    const entry = entries.at(-1);
    if (heading !== null) {
      source ??= heading[1] ?? "";
      entries.push({ version: heading[2] ?? "", text: "" });
    } else if (entry !== undefined) entry.text += `${line}\n`;
    else if (line.trim() !== "") return null;
  }
  if (source === null) return null;
  return { source, entries: entries.map((entry) => ({ version: entry.version, cves: cvesIn(entry.text) })) };
}

/**
 * Pure: the CVE ids between the installed version and the newest. An id that an entry names counts, also where it mends an
 * earlier fix: changelogs do not tell the two apart.
 * @param installed the source's version of what is installed
 */
export function fixedSince({ entries }: Changelog, installed: string): FixedCves {
  const end = entries.findIndex((entry) => compareVersions(entry.version, installed) <= 0);
  const newer = end < 0 ? entries : entries.slice(0, end);
  return { cves: sortedCves(newer.flatMap((entry) => entry.cves)), incomplete: end < 0 };
}

/** `CVE-2023-0286`, `cve-2012-0444.patch`, `0001_CVE-2019-2201-followup`, and lists: `CVE-2016-2105, -2106 and -2107`. */
function cvesIn(text: string): string[] {
  const found: string[] = [];
  const list =
    /(?<![a-z0-9])CVE-((?:19|20)\d\d)-(\d{4,7}(?![\d[{*?]))((?:(?:\s*[,/&]\s*|\s+and\s+|,\s*and\s+)-\d{4,7}(?![\d[{*?]))*)/gi;
  for (const [, year = "", first = "", more = ""] of text.matchAll(list)) {
    for (const number of [first, ...(more.match(/\d+/g) ?? [])]) found.push(`CVE-${year}-${number}`);
  }
  return sortedCves(found);
}
