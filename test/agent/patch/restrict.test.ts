import { expect, test } from "vitest";
import type { AptFacts } from "../../../agent/patch/apt-facts.ts";
import { addSeen } from "../../../agent/patch/first-seen.ts";
import { chain, isPending } from "../../../agent/patch/resolver.ts";
import { type Restricting, restrictingPreferences, restrictionsOf, restricts } from "../../../agent/patch/restrict.ts";

const DAY = 86_400_000;
const NOW = new Date("2026-11-24T04:00:00Z");
const FREE: Restricting = { securityOnly: false, allow: [], deny: [], minimumAgeDays: 0 };
const MAIN = "http://mirror.example/debian bookworm/main";
const SECURITY = "http://mirror.example/debian-security bookworm-security/main";
const details = (name: string, version: string, sha256: string | null) => ({
  name,
  version,
  architecture: "amd64",
  installedSizeKiB: 1,
  phasedPercent: null,
  sha256,
});
/** nginx 1 is installed; 2 is a security update, 3 is in main; nginx-module 3 would come with it. */
const facts: AptFacts = {
  nativeArchitecture: "amd64",
  simulation: {
    installs: [
      { name: "nginx", architecture: "amd64", from: "1", version: "3", origins: [] },
      { name: "nginx-module", architecture: "amd64", from: null, version: "3", origins: [] },
    ],
    removals: [],
  },
  fullSimulation: { installs: [], removals: [] },
  uris: [],
  installed: [],
  policies: [
    {
      name: "nginx",
      architecture: null,
      installed: "1",
      candidate: "3",
      versions: [
        { version: "3", priority: 500, sources: [MAIN] },
        { version: "2", priority: 500, sources: [SECURITY] },
        { version: "1", priority: 100, sources: [] },
      ],
    },
  ],
  held: [],
  details: [details("nginx", "3", "c"), details("nginx", "2", "b"), details("nginx-module", "3", "d")],
};
const ago = (days: number) => NOW.getTime() - days * DAY;

test.each([
  ["nothing", {}, {}, []],
  ["a name", { deny: ["nginx"] }, {}, ["nginx 3 denied", "nginx 2 denied"]],
  ["a name is the whole name", { deny: ["ngin", "ginx"] }, {}, []],
  ["a dot is a dot", { deny: ["ngin.", "n.inx"] }, {}, []],
  ["a glob", { deny: ["nginx-*"] }, {}, ["nginx-module 3 denied"]],
  ["one character", { deny: ["ngin?"] }, {}, ["nginx 3 denied", "nginx 2 denied"]],
  ["allowed: what newly comes along is not asked", { allow: ["nginx"] }, {}, []],
  ["not allowed", { allow: ["apache2"] }, {}, ["nginx 3 notAllowed", "nginx 2 notAllowed"]],
  ["denied goes before allowed", { allow: ["*"], deny: ["nginx"] }, {}, ["nginx 3 denied", "nginx 2 denied"]],
  ["security only", { securityOnly: true }, {}, ["nginx 3 notSecurity"]],
  ["never seen", { minimumAgeDays: 7 }, {}, ["nginx 3 tooYoung", "nginx 2 tooYoung", "nginx-module 3 tooYoung"]],
  [
    "seen long enough ago, to the millisecond",
    { minimumAgeDays: 7 },
    { "nginx amd64 3 c": ago(7) + 1, "nginx amd64 2 b": ago(7), "nginx-module amd64 3 d": ago(8) },
    ["nginx 3 tooYoung"],
  ],
  [
    "the same version with other bytes",
    { minimumAgeDays: 7 },
    { "nginx amd64 3 X": ago(9), "nginx amd64 2 b": ago(9), "nginx-module amd64 3 d": ago(9) },
    ["nginx 3 tooYoung"],
  ],
] as [string, Partial<Restricting>, Record<string, number>, string[]][])("%s", (_name, changes, seen, expected) => {
  const policy = { ...FREE, ...changes };
  const found = restrictionsOf(facts, policy, seen, NOW);
  expect(found.map((r) => `${r.name} ${r.candidate} ${r.reason}`)).toEqual(expected);
  expect(restricts(policy)).toBe(Object.keys(changes).length > 0);
});

test("a version with two hashes is as young as the younger; one without a hash was never seen", () => {
  const seen = { "nginx amd64 3 c": ago(9), "nginx amd64 3 e": ago(1), "nginx-module amd64 3 d": ago(9) };
  const changed = {
    ...facts,
    details: [
      ...facts.details.slice(0, 1),
      details("nginx", "3", "e"),
      details("nginx", "2", null),
      details("nginx-module", "3", "d"),
    ],
  };
  expect(
    restrictionsOf(changed, { ...FREE, minimumAgeDays: 7 }, seen, NOW).map((r) => [r.candidate, r.message]),
  ).toEqual([
    ["3", "this host first saw it at 2026-11-23T04:00Z; the policy waits 7 days, until 2026-11-30T04:00Z"],
    ["2", "this host first saw it at 2026-11-24T04:00Z; the policy waits 7 days, until 2026-12-01T04:00Z"],
  ]);
});

test("preferences forbid exactly the version, with the architecture of a foreign one", () => {
  const one = { name: "libc6", candidate: "2.36-9+deb12u1", reason: "denied", message: "" } as const;
  expect(
    restrictingPreferences([
      { ...one, architecture: null },
      { ...one, architecture: "i386" },
    ]),
  ).toBe(
    "Package: libc6\nPin: version 2.36-9+deb12u1\nPin-Priority: -1\n\n" +
      "Package: libc6:i386\nPin: version 2.36-9+deb12u1\nPin-Priority: -1\n",
  );
});

test("the first time stays; one of the future becomes now; what is long gone is dropped", () => {
  const now = NOW.getTime();
  const before = { "a all 1 x": ago(800), "b all 1 x": now + DAY, "gone all 1 x": ago(5), "old all 1 x": ago(731) };
  const offered = [details("c", "1", "y"), details("d", "1", null), { ...details("a", "1", "x"), architecture: "all" }];
  expect(addSeen(before, offered, now)).toEqual({
    "a all 1 x": ago(800),
    "b all 1 x": now,
    "gone all 1 x": ago(5),
    "c amd64 1 y": now,
  });
});

test("a chain names what is left out and stands in apt's words, not the package itself", () => {
  const left = (name: string, reason: "denied" | "held" | "unresolved") => ({
    name,
    installed: "1",
    candidate: "2",
    reason,
    message: "",
  });
  const web = left("webapp", "unresolved");
  const all = [web, left("webapp-common", "denied"), left("web", "held")];
  const said = "webapp : Depends: webapp-common (= 2) but 1 is to be installed E: Unable to correct problems";
  expect(chain("webapp", said, all)).toBe(`blocked by webapp-common (denied): ${said}`);
  expect(chain("webapp", "E: Broken", all)).toBe("apt keeps it back: E: Broken");
});

test.each([
  ["what apt would choose", "2", "2", true],
  ["a step on the way", "1.5", "2", true],
  ["what only backports have", "3", "2", false],
  ["what a preference forbids anyway", "2", null, false],
])("%s is pending or not", (_name, version, candidate, expected) => {
  const one = { name: "a1", architecture: null, candidate: version, reason: "notSecurity", message: "" } as const;
  expect(isPending(one, new Map([["a1 null", candidate]]))).toBe(expected);
});
