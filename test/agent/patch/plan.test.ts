import { execFileSync } from "node:child_process";
import { describe, expect, test } from "vitest";
import type { AptFacts, PackagePolicy } from "../../../agent/patch/apt-facts.ts";
import { compareVersions } from "../../../agent/patch/debian-version.ts";
import { debFileName, isCritical, makePlan } from "../../../agent/patch/plan.ts";

const SHA = "a".repeat(64);
const empty: AptFacts = {
  nativeArchitecture: "amd64",
  simulation: { installs: [], removals: [] },
  fullSimulation: { installs: [], removals: [] },
  uris: [],
  installed: [],
  policies: [],
  held: [],
  details: [],
};
const install = (name: string, from: string | null, version: string, origin = "Debian:12/stable") => ({
  name,
  architecture: "amd64",
  from,
  version,
  origins: [origin],
});
const uri = (name: string, version: string, size: number) => ({
  uri: `http://mirror/${name}`,
  file: debFileName(name, version, "amd64"),
  size,
  sha256: SHA,
});
const policy = (name: string, installed: string, candidate: string | null, ...versions: [string, number, string?][]) =>
  ({
    name,
    architecture: null,
    installed,
    candidate,
    versions: versions.map(([version, priority, source]) => ({ version, priority, sources: source ? [source] : [] })),
  }) satisfies PackagePolicy;

test("a plan has every change with its bytes, sorted, and what the host needs more", () => {
  const facts: AptFacts = {
    ...empty,
    simulation: {
      installs: [
        install("zlib1g", "1:1.2", "1:1.3", "Debian-Security:12/stable-security"),
        install("nginx-common", null, "1.22-9+deb12u2"),
      ],
      removals: [
        { name: "old-lib", architecture: null, version: "0.9" },
        { name: "old-lib", architecture: "i386", version: "0.9" },
      ],
    },
    uris: [uri("zlib1g", "1:1.3", 100), uri("nginx-common", "1.22-9+deb12u2", 23)],
    installed: [
      { name: "zlib1g", architecture: "amd64", version: "1:1.2", installedSizeKiB: 10 },
      { name: "old-lib", architecture: "amd64", version: "0.9", installedSizeKiB: 3 },
      { name: "old-lib", architecture: "i386", version: "0.9", installedSizeKiB: 2 },
    ],
    details: [
      {
        name: "zlib1g",
        architecture: "amd64",
        version: "1:1.3",
        installedSizeKiB: 12,
        phasedPercent: null,
        sha256: null,
      },
      {
        name: "nginx-common",
        architecture: "amd64",
        version: "1.22-9+deb12u2",
        installedSizeKiB: 7,
        phasedPercent: null,
        sha256: null,
      },
    ],
  };
  expect(makePlan(facts, ["nginx"])).toEqual({
    packages: [
      {
        name: "nginx-common",
        architecture: "amd64",
        version: "1.22-9+deb12u2",
        from: null,
        sha256: SHA,
        size: 23,
        file: "nginx-common_1.22-9+deb12u2_amd64.deb",
        origin: "Debian:12/stable",
        security: false,
        critical: true,
        cves: [],
        cvesIncomplete: false,
      },
      {
        name: "zlib1g",
        architecture: "amd64",
        version: "1:1.3",
        from: "1:1.2",
        sha256: SHA,
        size: 100,
        file: "zlib1g_1%3a1.3_amd64.deb",
        origin: "Debian-Security:12/stable-security",
        security: true,
        critical: false,
        cves: null,
        cvesIncomplete: false,
      },
    ],
    removals: [
      { name: "old-lib", architecture: "amd64", version: "0.9" },
      { name: "old-lib", architecture: "i386", version: "0.9" },
    ],
    leftOut: [],
    downloadBytes: 123,
    installedBytes: (2 + 7 - 3 - 2) * 1024,
  });
});

test.each([
  ["Debian-Security:12/oldstable-security", true],
  ["Ubuntu:24.04/noble-security", true],
  ["UbuntuESM:22.04/jammy-infra-security", true],
  ["Debian:12/stable", false],
  ["Ubuntu:24.04/noble-updates", false],
])("an update from %s is a security update: %s", (origin, security) => {
  const facts = {
    ...empty,
    simulation: { installs: [install("a1", "1", "2", origin)], removals: [] },
    uris: [uri("a1", "2", 1)],
  };
  expect(makePlan(facts, []).packages[0]?.security).toBe(security);
});

test("a later update that carries a security update within is one too", () => {
  const source = "http://security.debian.org/debian-security bookworm-security/main";
  const facts = {
    ...empty,
    simulation: { installs: [install("a1", "1", "3")], removals: [] },
    uris: [uri("a1", "3", 1)],
    policies: [policy("a1", "1", "3", ["3", 500], ["2", 500, source], ["1", 100])],
  };
  expect(makePlan(facts, []).packages[0]?.security).toBe(true);
});

test.each([
  ["no address", [], /^a1 2: apt would install it but names no place to fetch it from$/],
  [
    "no SHA-256",
    [{ ...uri("a1", "2", 1), sha256: null }],
    /^a1 2: its repository gives no SHA-256 for http:\/\/mirror\/a1$/,
  ],
])("a package with %s is refused", (_name, uris, message) => {
  const facts = { ...empty, simulation: { installs: [install("a1", "1", "2")], removals: [] }, uris };
  expect(() => makePlan(facts, [])).toThrow(
    expect.objectContaining({ code: "resolverFailed", message: expect.stringMatching(message) }),
  );
});

describe("every pending update that is not in the plan has its reason", () => {
  const two = policy("a1", "1", "2", ["2", 500], ["1", 100]);
  const full = { installs: [install("a1", "1", "2")], removals: [{ name: "b1", architecture: null, version: "1" }] };
  const details = (phasedPercent: number) => [
    { name: "a1", architecture: "amd64", version: "2", installedSizeKiB: 1, phasedPercent },
  ];
  test.each([
    ["held", { policies: [two], held: ["a1"] }, "held"],
    ["held with its architecture", { policies: [two], held: ["a1:i386"] }, "held"],
    ["phased", { policies: [two], details: details(20) }, "phased"],
    [
      "phased by priority, as apt 2.2 does it",
      { policies: [policy("a1", "1", "1", ["2", 1], ["1", 500])], details: details(20) },
      "phased",
    ],
    [
      "of priority 1 for another reason",
      { policies: [policy("a1", "1", "1", ["2", 1], ["1", 500])], details: details(100) },
      undefined,
    ],
    ["phased to everyone, but kept back", { policies: [two], details: details(100) }, "unresolved"],
    ["in need of a removal", { policies: [two], fullSimulation: full }, "needsRemoval"],
    ["kept back", { policies: [two] }, "unresolved"],
    ["pinned below", { policies: [policy("a1", "1", "1", ["2", -10], ["1", 100])] }, "pinned"],
    ["pinned to the old version", { policies: [policy("a1", "1", "1", ["2", 500], ["1", 1001])] }, "pinned"],
    ["forbidden altogether", { policies: [policy("a1", "1", null, ["2", -1], ["1", -1])] }, "pinned"],
    ["in backports only", { policies: [policy("a1", "1", "1", ["2", 100], ["1", 500])] }, undefined],
    ["up to date", { policies: [policy("a1", "2", "2", ["2", 500], ["1", 500])] }, undefined],
    [
      "to be removed",
      { policies: [two], simulation: { installs: [], removals: [{ name: "a1", architecture: null, version: "1" }] } },
      undefined,
    ],
  ] as [string, Partial<AptFacts>, string | undefined][])("%s", (_name, changes, reason) => {
    expect(makePlan({ ...empty, ...changes }, []).leftOut.map((l) => l.reason)).toEqual(
      reason === undefined ? [] : [reason],
    );
  });
});

test("a critical name matches itself and what begins with it and a dash", () => {
  const critical = ["nginx", "mysql"];
  expect(
    ["nginx", "nginx-common", "mysql-server-8.0", "nginxish", "libnginx-mod"].map((n) => isCritical(n, critical)),
  ).toEqual([true, true, true, false, false]);
});

test("versions are ordered as dpkg orders them", () => {
  const versions = [
    "1.0",
    "1.0-1",
    "1.0-1+b1",
    "1.0~rc1",
    "1:0.9",
    "0:1.0",
    "1.0a",
    "1.0+x",
    "1.00",
    "1.10",
    "1.9",
    "1.0-1~deb12u1",
    "20240203134700",

    "1.0.",
    "1.0-a-b",
  ];
  for (const a of versions) {
    for (const b of versions) {
      const dpkg = ["lt", "eq", "gt"].find((op) => holds(a, op, b));
      expect([a, b, ["lt", "eq", "gt"][Math.sign(compareVersions(a, b)) + 1]]).toEqual([a, b, dpkg]);
    }
  }
});

function holds(a: string, operator: string, b: string): boolean {
  try {
    execFileSync("dpkg", ["--compare-versions", a, operator, b], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}
