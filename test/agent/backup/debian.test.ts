import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { buildAgent } from "../../../agent/build/executable.ts";
import { layAgent } from "../../../agent/build/layer.ts";
import { exec } from "../../../agent/host/exec.ts";
import { decodeResult } from "../../../contract/frame.ts";
import { HOST_PATHS } from "../../../contract/names.ts";
import { encodeRequest } from "../../../contract/request.ts";
import { StepReport } from "../../../contract/step-report.ts";
import type { StepName } from "../../../contract/steps.ts";
import { defaultCacheFolder, openBase } from "../../../local/hosts/base.ts";
import { type Host, type Hosts, openHosts } from "../../../local/hosts/host.ts";
import { inside } from "../../../local/hosts/inside.ts";
import type { SampleRole } from "../../../local/hosts/sample/packages.ts";
import { openSampleRepository, type SampleRepository } from "../../../local/hosts/sample/repository.ts";
import { PATH, requestFor } from "../bench.ts";
import { notAsBefore } from "../identical.ts";

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
    deadlineMs: 600_000,
    env,
  });
  const decoded = decodeResult(answer.stdout);
  if (!decoded.ok) throw new Error(`${name}: ${decoded.why}: ${answer.stderr}`);
  const { result } = decoded;
  const path = `${HOST_PATHS.state}/runs/run-1/${name}-1.json`;
  const text = await host.exec("cat", [path], { deadlineMs: 10_000 });
  return { result, report: StepReport.parse(JSON.parse(text.stdout)) };
}

/** A host with pending updates locked and verified, one package held, and a capability on a program that will be replaced. */
async function lockedHost(id: string, role: SampleRole): Promise<Host> {
  const host = await hosts.create({
    id,
    name: "debian",
    role,
    sources: ["debian", "sample"],
    agentLayer: join(folder, "layer"),
  });
  await host.exec("mkdir", ["-p", "/var/lib/otherapp"], { deadlineMs: 10_000 });
  await host.exec("apt-mark", ["hold", "mawk"], { deadlineMs: 10_000 });
  const capable = inside(host.sandbox.root, "/usr/bin/openssl");
  expect(await exec("setcap", ["cap_net_raw+ep", capable], { deadlineMs: 10_000 })).toMatchObject({ exitCode: 0 });
  for (const name of ["preflight", "download", "verify"] as const)
    expect((await step(host, name)).result).toMatchObject({ outcome: "succeeded" });
  return host;
}

test("Debian's own pending updates and one failing package: everything is as it was, in and around dpkg", {
  timeout: 900_000,
}, async () => {
  const host = await lockedHost("i-0deb0000000000001", "failing");
  const before = await host.fingerprint();

  const backup = await step(host, "backup");
  const install = await step(host, "install");
  const left = notAsBefore(before, await host.fingerprint());

  expect(backup.result).toMatchObject({ outcome: "succeeded" });
  expect(install.report.log).toMatch(/^Setting up perl/m);
  expect(install.result).toMatchObject({ outcome: "failed", code: "maintainerScriptFailed", rolledBack: true });
  expect(install.report.rollback).toMatchObject({ identical: true, differences: [] });
  expect(left).toEqual([]);
  expect(before.files["/usr/bin/perl5.36.0"]?.sameAs).toBe("/usr/bin/perl");
  expect(before.files["/usr/bin/openssl"]?.xattrs).toContain("security.capability=");
  expect(before.packages["apt-mark showhold"]).toEqual(["mawk"]);
});

test("Debian's own pending updates rehearsed, installed, committed and rolled back: identical from outside", {
  timeout: 900_000,
}, async () => {
  const host = await lockedHost("i-0deb0000000000002", "plain");
  const before = await host.fingerprint();

  const rehearsal = await step(host, "rehearse");
  const untouched = notAsBefore(before, await host.fingerprint());
  const backup = await step(host, "backup");
  for (const name of ["install", "validate", "commit"] as const)
    expect((await step(host, name)).result).toMatchObject({ outcome: "succeeded" });
  const after = await host.fingerprint();
  const { result } = await step(host, "rollback");

  expect(rehearsal.result).toMatchObject({ outcome: "succeeded", data: { possible: true, wayBack: "identical" } });
  expect(rehearsal.report.rehearsal?.changedPaths).toBeGreaterThan(1_000);
  expect(untouched).toEqual([]);
  expect(backup.report.backup).toEqual({ set: "rehearsed", reason: null });
  expect(after.files["/usr/bin/openssl"]?.content).not.toBe(before.files["/usr/bin/openssl"]?.content);
  expect(result).toMatchObject({ outcome: "succeeded", data: { identical: true, differences: 0 } });
  expect(notAsBefore(before, await host.fingerprint())).toEqual([]);
});
