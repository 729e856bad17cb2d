import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { parseKeyring } from "../../../../agent/host/openpgp.ts";
import type { PackagePolicy } from "../../../../agent/patch/apt-facts.ts";
import { judgeHeld } from "../../../../agent/security/audit/held-security.ts";
import { judgeKeys } from "../../../../agent/security/audit/keys.ts";
import { judgeOrigins } from "../../../../agent/security/audit/origins.ts";
import { judgeReleases } from "../../../../agent/security/audit/releases.ts";
import { hasLists, judgeUpdates } from "../../../../agent/security/audit/security-updates.ts";
import { judgeSources } from "../../../../agent/security/audit/sources.ts";
import { NOW, told } from "./told.ts";

describe("keys", () => {
  test("what a keyring says of itself, as gpg does", () => {
    const home = mkdtempSync(join(tmpdir(), "autopatch-keys-"));
    try {
      const gpg = (...args: string[]) =>
        execFileSync(
          "gpg",
          ["--homedir", home, "--batch", "-q", "--faked-system-time", "20260101T000000", "--passphrase", "", ...args],
          { stdio: ["ignore", "pipe", "ignore"] },
        );
      gpg("--quick-generate-key", "forever <f@example.org>", "ed25519", "sign", "never");
      gpg("--quick-generate-key", "small", "rsa1024", "sign", "2026-12-01");
      gpg("--quick-generate-key", "extended", "rsa2048", "sign", "2026-02-01");
      const listed = () => gpg("--list-keys", "--with-colons").toString().split("\n");
      const extended =
        listed()
          .filter((line) => line.startsWith("fpr:"))[2]
          ?.split(":")[9] ?? "";
      // Later by its own clock: the newest self-signature counts.
      execFileSync(
        "gpg",
        [
          "--homedir",
          home,
          "--batch",
          "-q",
          "--faked-system-time",
          "20260110T000000",
          "--passphrase",
          "",
          "--quick-set-expire",
          extended,
          "2030-01-01",
        ],
        { stdio: "ignore" },
      );
      const keys = parseKeyring(gpg("--export"));
      expect(
        keys.map(({ userId, algorithm, weak, expires, revoked }) => [
          userId,
          algorithm,
          weak,
          expires?.toISOString().slice(0, 10) ?? null,
          revoked,
        ]),
      ).toEqual([
        ["forever <f@example.org>", "Ed25519", false, null, false],
        ["small", "RSA 1024", true, "2026-12-01", false],
        ["extended", "RSA 2048", false, "2030-01-01", false],
      ]);
      const prints = listed()
        .filter((line) => line.startsWith("fpr:"))
        .map((line) => line.split(":")[9]);
      expect(keys.map((key) => key.fingerprint)).toEqual(prints);
      const seen = keys.map((key) => ({ file: "/k.gpg", key }));
      expect(told(judgeKeys(seen, false, NOW))).toEqual([
        [
          "medium",
          "keysExpiring",
          expect.stringMatching(/^\/k\.gpg: small, [0-9A-F]{16}, RSA 1024, expires 2026-12-01$/),
        ],
        ["medium", "keysWeak", expect.stringContaining("small")],
      ]);
    } finally {
      rmSync(home, { recursive: true, force: true });
    }
  });

  test("a keyring cut short gives what is whole, and never fails", () => {
    expect(parseKeyring(Buffer.from([0x98, 0x33, 4, 0, 0]))).toEqual([]);
    expect(parseKeyring(Buffer.from("not a keyring"))).toEqual([]);
  });
});

test("sources and package lists", () => {
  const source = { file: "/etc/apt/a.list", uri: "https://m", suite: "s", signedBy: "/k.gpg", weakened: [] };
  expect(
    told(
      judgeSources(
        [source, { ...source, weakened: ["check-valid-until"] }, { ...source, uri: "http://m", signedBy: null }],
        ["APT::Get::AllowUnauthenticated true"],
      ),
    ),
  ).toEqual([
    ["medium", "undatedSources", "/etc/apt/a.list: https://m s [check-valid-until]"],
    ["high", "aptGuardsOff", "APT::Get::AllowUnauthenticated true"],
    ["low", "sourcesWithoutOwnKey", "/etc/apt/a.list: http://m s"],
  ]);
  const fine = { name: "http://m/dists/s/", unsigned: null, stale: null, unknown: null };
  expect(told(judgeReleases([]))).toEqual(["notApplicable", expect.stringContaining("apt-get update")]);
  expect(told(judgeReleases([fine, { ...fine, unknown: "gpgv was killed" }]))).toEqual([
    "unknown",
    "http://m/dists/s/: gpgv was killed",
  ]);
  expect(
    told(
      judgeReleases([
        { ...fine, unsigned: "no key" },
        { ...fine, stale: "old", unknown: null },
      ]),
    ),
  ).toEqual([
    ["critical", "releasesUnsigned", "http://m/dists/s/: no key"],
    ["high", "releasesStale", "http://m/dists/s/: old"],
  ]);
});

test("updates: security ones and what keeps them out; a package without a source", () => {
  const version = (v: string, ...sources: string[]) => ({ version: v, priority: 500, sources });
  const policy = (name: string, ...versions: PackagePolicy["versions"][number][]): PackagePolicy => ({
    name,
    architecture: null,
    installed: "1",
    candidate: "2",
    versions,
  });
  const policies = [
    policy("held", version("2", "http://m/debian-security bookworm-security/main"), version("1", "http://m s/main")),
    policy("plain", version("2", "http://m bookworm-updates/main")),
    policy("own", version("1")),
  ];
  const out = (name: string) => ({ name, installed: "1", candidate: "2", reason: "held" as const, message: "on hold" });
  expect(told(judgeHeld([out("held"), out("plain")], policies))).toEqual([
    ["high", "securityUpdatesHeld", "held 1 -> 2: held: on hold"],
  ]);
  expect(told(judgeOrigins(policies))).toEqual([["low", "packagesWithoutSource", "own 1"]]);
  expect(hasLists([policy("own", version("1"))])).toBe(false);
  const planned = (name: string, security: boolean, cves: string[] | null) => ({
    name,
    architecture: "all",
    version: "2",
    from: "1",
    sha256: "",
    size: 1,
    file: "",
    origin: "",
    security,
    critical: security,
    cves,
    cvesIncomplete: security,
  });
  const packages = [
    planned("nginx", true, ["CVE-2026-1", "CVE-2026-2"]),
    planned("less", false, null),
    planned("more", false, []),
    { ...planned("libnew", true, null), from: null, critical: false },
  ];
  expect(told(judgeUpdates(packages))).toEqual([
    [
      "critical",
      "securityUpdatesPending",
      "nginx 1 -> 2: CVE-2026-1, CVE-2026-2, and perhaps more",
      "libnew (new) -> 2",
    ],
    ["info", "updatesPending", "less 1 -> 2: CVEs not known before it is downloaded", "more 1 -> 2"],
  ]);
});
