import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { parseDetails, parsePolicies, parseSimulation, parseUris } from "../../../agent/host/apt-output.ts";
import { parseDeb822Sources, parseOneLineSources, sourceOf } from "../../../agent/host/apt-sources.ts";
import type { AptFacts } from "../../../agent/patch/apt-facts.ts";
import { makePlan } from "../../../agent/patch/plan.ts";
import { restrictionsOf } from "../../../agent/patch/restrict.ts";
import { CRITICAL_PACKAGES } from "../../../contract/names.ts";

/** See test/fixtures/apt/README.md. */
const read = (release: string, file: string) =>
  readFileSync(join(import.meta.dirname, "../../fixtures/apt", release, file), "utf8");

function factsOf(release: string): AptFacts {
  const simulation = parseSimulation(read(release, "simulate.txt"));
  return {
    nativeArchitecture: "amd64",
    simulation,
    fullSimulation: simulation,
    uris: parseUris(read(release, "uris.txt")),
    installed: [],
    policies: parsePolicies(read(release, "policy.txt")),
    held: [],
    details: parseDetails(read(release, "show.txt")),
  };
}

interface Expected {
  readonly plan: readonly string[];
  readonly leftOut: readonly string[];
  /** What a policy of security updates only keeps out. */
  readonly notSecurity: readonly string[];
}

const EXPECTED: Readonly<Record<string, Expected>> = {
  focal: {
    plan: [
      "grub2-common amd64 2.04-1ubuntu26.9 -> 2.04-1ubuntu26.11",
      "libldap-2.4-2 amd64 2.4.49+dfsg-2ubuntu1.7 -> 2.4.49+dfsg-2ubuntu1.8",
      "libldap-2.4-2 i386 2.4.49+dfsg-2ubuntu1.7 -> 2.4.49+dfsg-2ubuntu1.8",
      "openvpn amd64 2.4.7-1ubuntu2 -> 2.4.7-1ubuntu2.20.04.2 security",
      // At 20 %, but its apt knows no phasing.
      "update-notifier-common all 3.192.30.5 -> 3.192.30.7",
    ],
    leftOut: [],
    notSecurity: ["grub2-common", "libldap-2.4-2", "libldap-2.4-2", "update-notifier-common"],
  },
  jammy: {
    plan: [
      "fish amd64 3.3.1+ds-3 -> 3.3.1+ds-3ubuntu0.1~esm1 security",
      "git amd64 1:2.34.1-1ubuntu1.10 -> 1:2.34.1-1ubuntu1.11 security",
      "libpython2.7-stdlib amd64 2.7.18-13ubuntu1.1 -> 2.7.18-13ubuntu1.1+esm1 security",
    ],
    leftOut: ["apt 2.4.7 phased", "libclutter-gst-3.0-0 3.0.27-2ubuntu1 phased"],
    notSecurity: ["apt", "libclutter-gst-3.0-0", "fish"],
  },
  noble: {
    plan: [
      "libc6 amd64 2.39-0ubuntu8.3 -> 2.39-0ubuntu8.4 security",
      "linux-generic amd64 6.8.0-44.44 -> 6.8.0-45.45 security",
      "linux-image-6.8.0-45-generic amd64 (new) -> 6.8.0-45.45 security",
      "tailscale amd64 1.74.0 -> 1.76.1",
      "vim amd64 2:9.1.0016-1ubuntu7.5 -> 2:9.1.0016-1ubuntu7.6",
    ],
    leftOut: [
      "apparmor 4.0.1really4.0.1-0ubuntu0.24.04.7 phased",
      "libapparmor1 4.0.1really4.0.1-0ubuntu0.24.04.7 phased",
    ],
    notSecurity: ["apparmor", "libapparmor1", "tailscale", "vim"],
  },
  resolute: {
    plan: [
      "base-files amd64 14ubuntu6.1 -> 14ubuntu6.2",
      "libaudit1 amd64 1:4.1.2-1build1 -> 1:4.1.2-1ubuntu0.1",
      "libcares2 amd64 1.34.6-1 -> 1.34.6-1ubuntu0.1 security",
      "motd-news-config all 14ubuntu6.1 -> 14ubuntu6.2",
    ],
    leftOut: ["python3-software-properties 0.120.1 phased"],
    notSecurity: ["base-files", "libaudit1", "motd-news-config", "python3-software-properties"],
  },
};

test.each(Object.entries(EXPECTED))("%s: what its apt prints becomes a plan with reasons", (release, expected) => {
  const facts = factsOf(release);
  const plan = makePlan(facts, CRITICAL_PACKAGES);
  const policy = { securityOnly: true, allow: [], deny: [], minimumAgeDays: 0 };
  expect({
    plan: plan.packages.map(
      (p) => `${p.name} ${p.architecture} ${p.from ?? "(new)"} -> ${p.version}${p.security ? " security" : ""}`,
    ),
    leftOut: plan.leftOut.map((l) => `${l.name} ${l.candidate} ${l.reason}`),
    notSecurity: restrictionsOf(facts, policy, {}, new Date()).map((r) => r.name),
  }).toEqual(expected);
  expect(plan.packages.every((p) => /^[0-9a-f]{64}$/.test(p.sha256))).toBe(true);
});

describe("sources", () => {
  const archive = "/usr/share/keyrings/ubuntu-archive-keyring.gpg";
  const esm = "/usr/share/keyrings/ubuntu-pro-esm-infra.gpg";
  const found = (sources: ReturnType<typeof parseDeb822Sources>) =>
    sources.map(({ uri, suite, signedBy }) => [uri, suite, signedBy]);

  test("noble's own, in deb822", () => {
    const sources = parseDeb822Sources(read("noble", "ubuntu.sources"), "/etc/apt/sources.list.d/ubuntu.sources");
    expect(found(sources)).toEqual([
      ["http://archive.ubuntu.com/ubuntu/", "noble", archive],
      ["http://archive.ubuntu.com/ubuntu/", "noble-updates", archive],
      ["http://archive.ubuntu.com/ubuntu/", "noble-backports", archive],
      ["http://security.ubuntu.com/ubuntu/", "noble-security", archive],
    ]);
    expect(sourceOf(sources, "http://security.ubuntu.com/ubuntu/dists/noble-security/")?.suite).toBe("noble-security");
  });

  test("focal's, in one line each, and the pockets of ESM", () => {
    const sources = parseOneLineSources(read("focal", "sources.list"), "/etc/apt/sources.list");
    expect(found(sources)).toEqual([
      ["http://archive.ubuntu.com/ubuntu/", "focal", null],
      ["http://archive.ubuntu.com/ubuntu/", "focal-updates", null],
      ["http://security.ubuntu.com/ubuntu", "focal-security", null],
      ["https://esm.ubuntu.com/infra/ubuntu", "focal-infra-security", esm],
    ]);
    const own = parseDeb822Sources(read("jammy", "ubuntu-esm-infra.sources"), "esm.sources");
    expect(found(own).map(([, suite]) => suite)).toEqual(["jammy-infra-security", "jammy-infra-updates"]);
  });
});
