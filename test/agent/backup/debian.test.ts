import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { buildAgent } from "../../../agent/build/executable.ts";
import { layAgent } from "../../../agent/build/layer.ts";
import { decodeResult } from "../../../contract/frame.ts";
import { HOST_PATHS } from "../../../contract/names.ts";
import { encodeRequest } from "../../../contract/request.ts";
import { StepReport } from "../../../contract/step-report.ts";
import type { StepName } from "../../../contract/steps.ts";
import { defaultCacheFolder, openBase } from "../../../local/hosts/base.ts";
import { compareFingerprints } from "../../../local/hosts/fingerprint-comparison.ts";
import { type Host, type Hosts, openHosts } from "../../../local/hosts/host.ts";
import { openSampleRepository, type SampleRepository } from "../../../local/hosts/sample/repository.ts";
import { PATH, requestFor } from "../bench.ts";

const folder = mkdtempSync(join(tmpdir(), "autopatch-debian-"));
let repository: SampleRepository;
let hosts: Hosts;
beforeAll(async () => {
  const base = await openBase({ variant: "fleet" });
  repository = await openSampleRepository({ folder: join(folder, "repository"), date: new Date() });
  const cacheDir = join(defaultCacheFolder(), "agents");
  const built = await buildAgent({ outdir: join(folder, "dist"), cacheDir });
  // Nobody answers there: reports stay on the host.
  const config =
    "AWS_ENDPOINT_URL=http://127.0.0.1:9/\nAWS_EC2_METADATA_SERVICE_ENDPOINT=http://127.0.0.1:9/\nAWS_REGION=eu-west-3\n";
  layAgent(join(folder, "layer"), { executable: built.path, config });
  hosts = await openHosts({ base, count: 1, repository });
});
afterAll(async () => {
  await hosts.closeAll();
  await repository.close();
  rmSync(folder, { recursive: true, force: true });
});

async function step(host: Host, name: StepName) {
  const request = encodeRequest(requestFor(host.id, name, 1));
  const env = { PATH, AWS_SSM_INSTANCE_ID: host.id, AWS_SSM_REGION_NAME: "eu-west-3" };
  // Longer than the bench allows: this is the one real upgrade.
  const answer = await host.exec(HOST_PATHS.executable, ["step", name, "--request", request], {
    deadlineMs: 240_000,
    env,
  });
  const decoded = decodeResult(answer.stdout);
  if (!decoded.ok) throw new Error(`${name}: ${decoded.why}: ${answer.stderr}`);
  const { result } = decoded;
  const path = `${HOST_PATHS.state}/runs/run-1/${name}-1.json`;
  const text = await host.exec("cat", [path], { deadlineMs: 10_000 });
  return { result, report: StepReport.parse(JSON.parse(text.stdout)) };
}

/** How many names perl's program has, and that both are one file. */
async function hardLinks(host: Host): Promise<string> {
  const found = await host.exec("find", ["/usr/bin", "-samefile", "/usr/bin/perl", "-printf", "%n %p\n"], {
    deadlineMs: 10_000,
  });
  return found.stdout.split("\n").sort().join("\n").trim();
}

test("Debian's own pending updates and one failing package: everything is as it was, in and around dpkg", {
  timeout: 300_000,
}, async () => {
  const host = await hosts.create({
    id: "i-0deb0000000000001",
    name: "debian",
    role: "failing",
    sources: ["debian", "sample"],
    agentLayer: join(folder, "layer"),
  });
  await host.exec("mkdir", ["-p", "/var/lib/otherapp"], { deadlineMs: 10_000 });
  for (const name of ["preflight", "download", "verify"] as const)
    expect((await step(host, name)).result).toMatchObject({ outcome: "succeeded" });
  const before = await host.fingerprint();
  const names = await hardLinks(host);

  const backup = await step(host, "backup");
  const install = await step(host, "install");
  const comparison = compareFingerprints(before, await host.fingerprint());

  expect(backup.result).toMatchObject({ outcome: "succeeded" });
  expect(install.report.log).toMatch(/^Setting up perl/m);
  expect(install.result).toMatchObject({ outcome: "failed", code: "maintainerScriptFailed", rolledBack: true });
  expect(install.report.rollback).toMatchObject({ identical: true, differences: [] });
  expect(comparison.differences).toEqual([]);
  expect(await hardLinks(host)).toEqual(names);
  expect(names).toMatch(/^2 /);
  expect(
    comparison.otherTimes.filter((path) => !/^\/var\/lib\/dpkg\/(lock|lock-frontend|triggers\/Lock)$/.test(path)),
  ).toEqual([]);
});
