import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { StepName } from "../../contract/steps.ts";
import type { BaseSuite } from "../../local/hosts/base-recipe.ts";
import { takeFingerprint } from "../../local/hosts/fingerprint.ts";
import { compareFingerprints } from "../../local/hosts/fingerprint-comparison.ts";
import { NEW, OLD } from "../../local/hosts/sample/packages.ts";
import { openSampleRepository, type SampleRepository } from "../../local/hosts/sample/repository.ts";
import { type AgentHost, type Bench, openBench } from "./bench.ts";

/** apt of each release phases in its own way: by priority until 2.4.5, by keeping back since. */
const SUITES: readonly (readonly [BaseSuite, string, RegExp])[] = [
  ["bullseye", "Debian GNU/Linux 11 (bullseye)", /^apt 2\.2\./],
  ["bookworm", "Debian GNU/Linux 12 (bookworm)", /^apt 2\.6\./],
  ["trixie", "Debian GNU/Linux 13 (trixie)", /^apt 3\./],
];
const STEPS: readonly StepName[] = ["preflight", "download", "verify", "backup", "install", "validate", "commit"];

describe.each(SUITES)("%s", (suite, name, apt) => {
  let bench: Bench;
  let phasing: SampleRepository;
  let folder: string;
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "autopatch-phased-"));
    bench = await openBench(suite);
    phasing = await openSampleRepository({
      folder: join(folder, "repository"),
      date: new Date(),
      packages: [OLD, NEW].map((version) => ({
        name: "phased-app",
        version,
        summary: "sample package that its publisher hands out step by step",
        ...(version === NEW ? { fields: { "Phased-Update-Percentage": "0" } } : {}),
        files: [{ path: "/usr/share/phased-app/version", content: `${version}\n` }],
      })),
    });
  });
  afterAll(async () => {
    await phasing?.close();
    await bench?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  test("a host of this release is patched, committed and put back, and is told why a phased update waits", {
    timeout: 240_000,
  }, async () => {
    const host = await bench.host();
    await givePhased(host, phasing);
    expect((await host.run("apt-get", "--version")).stdout).toMatch(apt);
    expect(host.read("/usr/lib/os-release")).toContain(`PRETTY_NAME="${name}"`);
    const before = await takeFingerprint(host.sandbox);

    for (const step of STEPS) {
      const { result } = await host.step(step);
      expect([step, result.outcome], JSON.stringify(result)).toEqual([step, "succeeded"]);
      if (step === "download") {
        const plan = host.report("download").plan;
        expect(plan?.packages.map((p) => `${p.name} ${p.version} ${p.cves?.length}`)).toEqual([
          `libreport2 ${NEW} 0`,
          `metricsd ${NEW} 2`,
          `reportd ${NEW} 1`,
          `webapp ${NEW} 3`,
          `webapp-common ${NEW} 3`,
        ]);
        expect(plan?.leftOut).toEqual([
          {
            name: "phased-app",
            installed: OLD,
            candidate: NEW,
            reason: "phased",
            message: "its publisher offers it to 0 % of machines so far, not to this one",
          },
        ]);
      }
    }
    const { result } = await host.step("rollback");
    expect(result).toMatchObject({ outcome: "succeeded", data: { identical: true, differences: 0, reopenedCves: 6 } });
    expect(compareFingerprints(before, await takeFingerprint(host.sandbox)).differences).toEqual([]);
    await host.close();
  });
});

/** Installs the old version; the new one's 0 % leave this machine out, whose id decides. */
async function givePhased(host: AgentHost, phasing: SampleRepository): Promise<void> {
  host.write("/etc/apt/keyrings/phasing.gpg", readFileSync(phasing.keyring));
  const source = `deb [signed-by=/etc/apt/keyrings/phasing.gpg] ${phasing.url} stable main\n`;
  host.write("/etc/apt/sources.list.d/phasing.list", source);
  host.write("/etc/apt/apt.conf.d/50machine-id", 'APT::Machine-ID "8d6e6e5ad7ab4c2fb1d6e32e5c6c4ad1";\n');
  expect((await host.run("apt-get", "update")).exitCode).toBe(0);
  expect((await host.run("apt-get", "install", "-y", `phased-app=${OLD}`)).exitCode).toBe(0);
}
