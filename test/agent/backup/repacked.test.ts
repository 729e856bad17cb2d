import { mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { dataOf } from "../../../contract/envelope.ts";
import { HOST_PATHS } from "../../../contract/names.ts";
import type { StepName } from "../../../contract/steps.ts";
import { openSampleRepository, type SampleRepository } from "../../../local/hosts/sample/repository.ts";
import { sampleSources } from "../../../local/hosts/sources.ts";
import { type AgentHost, type Bench, openBench } from "../bench.ts";
import { adversary, installPackage } from "../patch/adversary.ts";

const folder = mkdtempSync(join(tmpdir(), "autopatch-repacked-"));
let repository: SampleRepository;
let bench: Bench;
const LOST = adversary({}, "lost");
beforeAll(async () => {
  bench = await openBench();
  mkdirSync(join(folder, "repository"));
  repository = await openSampleRepository({
    folder: join(folder, "repository"),
    date: new Date(),
    packages: [LOST.next],
  });
});
afterAll(async () => {
  await repository?.close();
  await bench.close();
  rmSync(folder, { recursive: true, force: true });
});

async function done(host: AgentHost, step: StepName) {
  const { result } = await host.step(step, { policy: { previousDebs: "required" } });
  expect(result, JSON.stringify(result)).toMatchObject({ step, outcome: "succeeded" });
  return host.report(step);
}

test("a previous .deb that no source offers is made again from what is installed, marked so, and is a way back", {
  timeout: 300_000,
}, async () => {
  const host = await bench.host({ sources: ["debian"] });
  const sources = "/etc/apt/sources.list.d/debian.sources";
  const script = `apt-get -qq update && apt-get -qq -y --no-install-recommends install dpkg-repack && rm ${sources}`;
  const tool = await host.sandbox.exec("sh", ["-c", script], { deadlineMs: 240_000 });
  expect(tool.exitCode, tool.stderr).toBe(0);
  await installPackage(host, LOST.old);
  host.write("/etc/lost.conf", "version=mine\n");
  host.write("/etc/apt/keyrings/lost.gpg", readFileSync(repository.keyring));
  const stanza = sampleSources(repository).replace("autopatch-sample.gpg", "lost.gpg");
  host.write("/etc/apt/sources.list.d/lost.sources", stanza);
  await host.run("apt-get", "-qq", "update");

  for (const step of ["preflight", "download", "verify"] as const) await done(host, step);
  const backup = await done(host, "backup");
  for (const step of ["install", "validate", "commit"] as const) await done(host, step);
  const { backupId } = dataOf(backup.result, "backup") ?? { backupId: "" };
  const debs = `${HOST_PATHS.backups}/${backupId}/debs`;
  const index = JSON.parse(host.read(`${debs}/index.json`));
  const updated = host.read("/usr/lib/lost/program");
  const back = await host.run("rollback.sh", "--restore-system", backupId, "--from-debs");

  expect(backup.previousDebs).toEqual({ kept: 1, missing: [], unverified: ["lost 1.0-1: repacked"], wayBack: [] });
  expect(index.debs).toMatchObject([{ name: "lost", version: "1.0-1", from: "repacked", verified: false }]);
  expect((await host.run("dpkg-deb", "-f", `${debs}/${index.debs[0].file}`, "Version")).stdout).toBe("1.0-1\n");
  expect(updated).toContain("echo 2.0-1");
  expect(host.read("/usr/lib/lost/program"), back.stdout + back.stderr).toContain("echo 1.0-1");
  expect((await host.run("dpkg-query", "-W", "lost")).stdout).toBe("lost\t1.0-1\n");
  expect(host.read("/etc/lost.conf")).toBe("version=mine\n");
});
