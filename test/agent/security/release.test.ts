import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { AptSource } from "../../../agent/host/apt-sources.ts";
import { parseDeb822Sources, parseOneLineSources, sourceOf } from "../../../agent/host/apt-sources.ts";
import { systemClock } from "../../../agent/host/clock.ts";
import { exec } from "../../../agent/host/exec.ts";
import { dearmor, keyringOf } from "../../../agent/security/keyring.ts";
import { parseRelease, stalenessOf } from "../../../agent/security/release-file.ts";
import { verifiedRelease } from "../../../agent/security/release-signature.ts";
import { gpgvProblem } from "../../../agent/security/signature-problem.ts";
import { openSigner } from "../../../local/hosts/sample/signing.ts";

const RELEASE = `Origin: AutoPatch
Date: Tue, 24 Nov 2026 02:00:00 UTC
Valid-Until: Tue, 01 Dec 2026 02:00:00 UTC
MD5Sum:
 0123456789abcdef0123456789abcdef 7 main/binary-amd64/Packages
SHA256:
 ${"a".repeat(64)} 1234 main/binary-amd64/Packages
 ${"b".repeat(64)}   99 main/binary-amd64/Packages.gz
`;

test("a Release file's dates and SHA-256 lines are read, and no weaker ones", () => {
  expect(parseRelease(RELEASE)).toEqual({
    date: new Date("2026-11-24T02:00:00Z"),
    validUntil: new Date("2026-12-01T02:00:00Z"),
    indexes: new Map([
      ["main/binary-amd64/Packages", { sha256: "a".repeat(64), size: 1234 }],
      ["main/binary-amd64/Packages.gz", { sha256: "b".repeat(64), size: 99 }],
    ]),
  });
});

test.each([
  ["fresh", "2026-11-30T00:00:00Z", 400, true, null],
  [
    "past its Valid-Until",
    "2026-12-02T00:00:00Z",
    400,
    true,
    /^it was valid until 2026-12-01T02:00:00.000Z, now it is 2026-12-02/,
  ],
  ["past it on a frozen mirror", "2026-12-02T00:00:00Z", 400, false, null],
  [
    "older than allowed on a frozen mirror",
    "2027-12-30T00:00:00Z",
    400,
    false,
    /^it is 400 days old \(2026-11-24T02:00:00.000Z\); 400 are allowed$/,
  ],
])("a Release that is %s", (_name, now, maximumAgeDays, holdsValidUntil, why) => {
  const stale = stalenessOf(parseRelease(RELEASE), { now: new Date(now), maximumAgeDays, holdsValidUntil });
  if (why === null) expect(stale).toBeNull();
  else expect(stale).toMatch(why);
});

test("a Release without a date is stale", () => {
  const freshness = { now: new Date(), maximumAgeDays: 400, holdsValidUntil: true };
  expect(stalenessOf(parseRelease("Origin: x\n"), freshness)).toBe("it has no Date, so nobody can tell how old it is");
});

describe("gpgv's status lines", () => {
  const F = "A4285295FC7B1A81600062A9605C66F00D6C9793";
  const K = F.slice(-16);
  const valid = (digest: number, fingerprint = F, primary = fingerprint) =>
    `[GNUPG:] VALIDSIG ${fingerprint} 2026-11-24 1795000000 0 4 0 1 ${digest} 01 ${primary}`;
  const good = `[GNUPG:] GOODSIG ${K} Debian`;
  test.each([
    ["a good signature", [good, valid(8)], [], null],
    ["a good one beside one of an unknown key", ["[GNUPG:] NO_PUBKEY 0123456789ABCDEF", good, valid(8)], [], null],
    ["a good one by the primary key that is named", [good, valid(8, F, "B".repeat(40))], ["B".repeat(40)], null],
    [
      "a good one by a key that is not named",
      [good, valid(8)],
      ["C".repeat(40)],
      /another key than the one its source names/,
    ],
    ["a bad one beside a good one", [good, valid(8), `[GNUPG:] BADSIG ${K} Debian`], [], /does not match the text/],
    ["SHA-1", [good, valid(2)], [], /broken digest/],
    ["a revoked key, which gpgv calls valid too", [`[GNUPG:] REVKEYSIG ${K} Debian`, valid(8)], [], /a revoked key/],
    ["an expired key", [`[GNUPG:] EXPKEYSIG ${K} Debian`, valid(8)], [], /an expired key/],
    [
      "an unknown key",
      ["[GNUPG:] ERRSIG x", `[GNUPG:] NO_PUBKEY ${K}`],
      [],
      /not in its source's keyring, 605C66F00D6C9793$/,
    ],
    ["nothing", [], [], /^it has no valid signature$/],
    [
      "a name that looks like a status line",
      [`x [GNUPG:] GOODSIG ${K}`, `x ${valid(8)}`],
      [],
      /^it has no valid signature$/,
    ],
  ] as [string, string[], string[], RegExp | null][])("%s", (_name, lines, accepted, why) => {
    const problem = gpgvProblem(lines.join("\n"), accepted);
    if (why === null) expect(problem).toBeNull();
    else expect(problem).toMatch(why);
  });
});

describe("with a real key", () => {
  let root: string;
  const machine = () => ({ exec, clock: systemClock, root, log: { info() {}, warn() {}, error() {}, violation() {} } });
  const source = (signedBy: string | null): AptSource => ({
    file: "/etc/apt/sources.list.d/x.sources",
    uri: "http://m",
    suite: "s",
    signedBy,
    weakened: [],
  });
  const files = { release: "/Release", signature: "/Release.gpg" };
  beforeAll(async () => {
    root = mkdtempSync(join(tmpdir(), "autopatch-release-"));
    writeFileSync(join(root, "Release"), RELEASE);
    const signer = await openSigner(exec, join(root, "key.gpg"));
    await signer.sign(root).finally(() => signer.close());
    mkdirSync(join(root, "etc/apt/trusted.gpg.d"), { recursive: true });
  });
  afterAll(() => rmSync(root, { recursive: true, force: true }));

  test("a keyring may be armoured, stand in the source itself, or be the host's own", async () => {
    const armoured = armour(readFileSync(join(root, "key.gpg")));
    expect(dearmor(armoured).equals(readFileSync(join(root, "key.gpg")))).toBe(true);
    writeFileSync(join(root, "key.asc"), armoured);
    const [stated] = parseDeb822Sources(
      `Types: deb\nURIs: http://m\nSuites: s\nComponents: main\nSigned-By:\n${armoured.trim().replace(/^$/gm, ".").replace(/^/gm, " ")}\n`,
      "x.sources",
    );
    writeFileSync(join(root, "etc/apt/trusted.gpg.d/own.asc"), armoured);
    for (const one of [source("/key.asc"), stated ?? source("/nothing"), source(null)]) {
      expect(await verifiedRelease(machine(), files, keyringOf(machine(), one))).toBe(RELEASE);
    }
  });

  test("a keyring that is not there is refused by name", () => {
    expect(() => keyringOf(machine(), source("/gone.gpg"))).toThrow(
      expect.objectContaining({
        code: "signatureInvalid",
        message: "/etc/apt/sources.list.d/x.sources: the keyring /gone.gpg cannot be read",
      }),
    );
  });
});

/** gpg's own armour. */
function armour(packets: Buffer): string {
  return execFileSync("gpg", ["--enarmor"], {
    input: packets,
    encoding: "utf8",
    stdio: ["pipe", "pipe", "ignore"],
  }).replaceAll("PGP ARMORED FILE", "PGP PUBLIC KEY BLOCK");
}

test("sources of both formats are read, disabled and source ones left out", () => {
  const deb822 = `# comment\nTypes: deb deb-src\nURIs: http://m/debian/ http://n/debian\nSuites: s s-updates\nComponents: main\nsigned-by: /k.gpg\n\nEnabled: no\nTypes: deb\nURIs: http://off\nSuites: s\n\nTypes: deb-src\nURIs: http://src\nSuites: s\n`;
  expect(parseDeb822Sources(deb822, "a.sources")).toEqual(
    ["http://m/debian/", "http://n/debian"].flatMap((uri) =>
      ["s", "s-updates"].map((suite) => ({ file: "a.sources", uri, suite, signedBy: "/k.gpg", weakened: [] })),
    ),
  );
  const lines = `# deb http://off s main\ndeb http://m/debian s main contrib # comment\ndeb [arch=amd64 trusted=yes signed-by=/k.gpg check-valid-until=yes] https://p/repo ./\ndeb-src http://src s main\n`;
  expect(parseOneLineSources(lines, "b.list")).toEqual([
    { file: "b.list", uri: "http://m/debian", suite: "s", signedBy: null, weakened: [] },
    { file: "b.list", uri: "https://p/repo", suite: "./", signedBy: "/k.gpg", weakened: ["trusted"] },
  ]);
});

test.each([
  ["http://m/debian/dists/s/", "s"],
  ["http://m/debian/dists/s-updates/", "s-updates"],
  ["https://p/repo/./", "./"],
  ["https://p/repo/", "./"],
  ["http://m/debian/dists/other/", undefined],
])("the source of %s", (baseUri, suite) => {
  const sources = [
    { file: "a", uri: "http://m/debian/", suite: "s", signedBy: null, weakened: [] },
    { file: "a", uri: "http://m/debian", suite: "s-updates", signedBy: null, weakened: [] },
    { file: "b", uri: "https://p/repo", suite: "./", signedBy: null, weakened: [] },
  ];
  expect(sourceOf(sources, baseUri)?.suite).toBe(suite);
});
