import { expect, test } from "vitest";
import { fixedSince, parseChangelog } from "../../../agent/patch/cves.ts";

/** As entries stand in Debian's own changelogs. */
const OPENSSL = `openssl (3.0.18-1~deb12u1) bookworm-security; urgency=medium

  * CVE-2025-9230 (Out-of-bounds read & write in RFC 3211 KEK Unwrap)
  * CVE-2025-9232 (Out-of-bounds read in HTTP client no_proxy handling)
  * Alternative fix for CVE-2024-13176 (Timing side-channel
    in ECDSA signature computation), and cve-2012-0444.patch again.

 -- Sebastian Andrzej Siewior <sebastian@breakpoint.cc>  Tue, 30 Sep 2025 18:08:14 +0200

openssl (3.0.17-1~deb12u2) bookworm; urgency=medium

  * Import 3.0.17
    - CVE-2024-13176 (Timing side-channel in ECDSA signature computation)

 -- Sebastian Andrzej Siewior <sebastian@breakpoint.cc>  Sun, 10 Aug 2025 12:00:00 +0200

openssl (3.0.16-1~deb12u1) bookworm; urgency=medium

  * CVE-2023-5363 (Incorrect cipher key and IV length processing).

 -- Sebastian Andrzej Siewior <sebastian@breakpoint.cc>  Sun, 06 Oct 2024 12:00:00 +0200
`;

/** What is fixed in a changelog of one entry, on top of an older one. */
function named(text: string): string[] {
  const changelog = parseChangelog(`one (2-1) stable; urgency=low\n\n${text}\n\none (1-1) stable; urgency=low\n`);
  if (changelog === null) throw new Error("no changelog");
  return fixedSince(changelog, "1-1").cves;
}

test.each([
  ["the installed version's own entry is not new", "3.0.17-1~deb12u2", 4, false],
  ["nothing is newer", "3.0.18-1~deb12u1", 0, false],
  ["a version between two entries", "3.0.16-1~deb12u9", 4, false],
  ["a rebuild of the installed one", "3.0.17-1~deb12u2+b1", 4, false],
  ["cut before the installed version", "3.0.14-1~deb12u1", 5, true],
] as const)("%s: %s", (_name, installed, count, incomplete) => {
  const changelog = parseChangelog(OPENSSL);
  if (changelog === null) throw new Error("no changelog");
  const fixed = fixedSince(changelog, installed);
  expect([fixed.cves.length, fixed.incomplete]).toEqual([count, incomplete]);
  expect(changelog.source).toBe("openssl");
});

test("each id once, by year and number", () => {
  const changelog = parseChangelog(OPENSSL);
  if (changelog === null) throw new Error("no changelog");
  expect(fixedSince(changelog, "3.0.16-1~deb12u1")).toEqual({
    cves: ["CVE-2012-0444", "CVE-2024-13176", "CVE-2025-9230", "CVE-2025-9232"],
    incomplete: false,
  });
});

test.each([
  ["  * Fix X (GLIBC-SA-2025-0002 / CVE-2025-4802).", ["CVE-2025-4802"]],
  ["  * any/local-CVE-2024-2961-iso-2022-cn-ext.diff: Fix", ["CVE-2024-2961"]],
  ["  + Cherry-pick 0001_CVE-2019-2201-followup.patch.", ["CVE-2019-2201"]],
  ["    - CVE-2024-9681-*.patch: Backport patches.", ["CVE-2024-9681"]],
  ["    - Fixes CVE-2017-14633/CVE-2017-14632", ["CVE-2017-14632", "CVE-2017-14633"]],
  ["  * CVE-2016-2105, -2106,\n    and -2107", ["CVE-2016-2105", "CVE-2016-2106", "CVE-2016-2107"]],
  ["  * CVE-2012-5134/-5135: two", ["CVE-2012-5134", "CVE-2012-5135"]],
  ["  * patches/0500-CVE-2017-922[4-9].patch, CVE-2017-1234[5-7].patch", []],
  ["  * ZDI-CAN-16587, CAN-2005-0953, CVE-????-?????, CVE-2015-119, ACVE-2020-1234", []],
  ["  * CVE-2026-123633: seven digits are an id too: CVE-2026-1236330", ["CVE-2026-123633", "CVE-2026-1236330"]],
])("%j names %j", (text, expected) => {
  expect(named(text)).toEqual(expected);
});

test.each([
  ["upstream's own", "CHANGES\n=======\n\nOpenSSL 3.0.17\n * CVE-2025-9230\n"],
  ["an empty one", "\n\n"],
])("%s is no Debian changelog", (_name, text) => {
  expect(parseChangelog(text)).toBeNull();
});
