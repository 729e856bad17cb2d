import { gzipSync } from "node:zlib";
import type { SamplePackage } from "./package.ts";

/** What each 2.0 says it fixes. Numbers that nobody has been given. */
const FIXES: Readonly<Record<string, string>> = {
  webapp: `  * CVE-2026-9900002: templates are escaped.
  * d/p/CVE-2025-9900001.patch: limits the size of a request, see also
    CVE-2026-9900001.`,
  reportd: "  * New upstream release (CVE-2026-9900003).",
  metricsd: "  * Drops libmetrics1 (CVE-2026-9900004, -9900005).",
  "failing-app": "  * Checks the licence's signature (CVE-2026-9900006).",
};

/** Built from the source of another. */
const SOURCE: Readonly<Record<string, string>> = { "webapp-common": "webapp" };
/** Its documentation folder is a link to that of a package it depends on. */
const FOLDER_OF: Readonly<Record<string, string>> = { webapp: "webapp-common" };
/** Its changelog ends with the newest entry, as Ubuntu cuts them. */
const CUT: ReadonlySet<string> = new Set(["metricsd"]);

/** The package with a Debian changelog in its documentation folder. */
export function documented(one: SamplePackage): SamplePackage {
  const folder = `/usr/share/doc/${one.name}`;
  const linked = FOLDER_OF[one.name];
  const source = SOURCE[one.name];
  const file =
    linked === undefined
      ? { path: `${folder}/changelog.Debian.gz`, content: gzipSync(changelog(source ?? one.name, one.version)) }
      : { path: folder, link: linked };
  const fields = source === undefined ? one.fields : { ...one.fields, Source: source };
  return { ...one, ...(fields === undefined ? {} : { fields }), files: [...one.files, file] };
}

function changelog(source: string, version: string): string {
  const first = entry(source, "1.0-1", "  * First release. It has CVE-2025-9900009.");
  if (version === "1.0-1") return first;
  const newest = entry(source, version, FIXES[source] ?? "  * New upstream release.");
  return CUT.has(source) ? newest : `${newest}\n${first}`;
}

function entry(source: string, version: string, text: string): string {
  return `${source} (${version}) stable; urgency=medium

${text}

 -- AutoPatch sample <sample@autopatch.invalid>  Wed, 01 Jan 2025 00:00:00 +0000
`;
}
