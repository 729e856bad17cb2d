import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { exec } from "../../../agent/host/exec.ts";
import { dataOf } from "../../../contract/envelope.ts";
import { HOST_PATHS } from "../../../contract/names.ts";
import type { StepName } from "../../../contract/steps.ts";
import { takeFingerprint } from "../../../local/hosts/fingerprint.ts";
import { compareFingerprints } from "../../../local/hosts/fingerprint-comparison.ts";
import { inside } from "../../../local/hosts/inside.ts";
import { buildDeb } from "../../../local/hosts/sample/deb.ts";
import { debName, type SamplePackage } from "../../../local/hosts/sample/package.ts";
import { openSampleRepository, type SampleRepository } from "../../../local/hosts/sample/repository.ts";
import { sampleSources } from "../../../local/hosts/sources.ts";
import { type AgentHost, type Bench, type Changes, openBench } from "../bench.ts";
import { adversary } from "../patch/adversary.ts";

const folder = mkdtempSync(join(tmpdir(), "autopatch-previous-"));
const repositories: SampleRepository[] = [];
let bench: Bench;
beforeAll(async () => {
  bench = await openBench();
});
afterAll(async () => {
  for (const one of repositories) await one.close();
  await bench.close();
  rmSync(folder, { recursive: true, force: true });
});

async function built(one: SamplePackage): Promise<Buffer> {
  const work = mkdtempSync(join(folder, "deb-"));
  mkdirSync(join(work, "root"));
  return readFileSync(await buildDeb(exec, one, join(work, "root"), work));
}

async function install(host: AgentHost, packages: readonly SamplePackage[]): Promise<void> {
  for (const one of packages) host.write(`/root/${debName(one)}`, await built(one));
  const done = await host.run("dpkg", "-i", ...packages.map((one) => `/root/${debName(one)}`));
  expect(done.exitCode, done.stderr).toBe(0);
  await host.run("rm", ...packages.map((one) => `/root/${debName(one)}`));
}

/** A repository of the host's own, signed, beside what it has. */
async function offer(host: AgentHost, packages: readonly SamplePackage[]): Promise<void> {
  const repository = await openSampleRepository({
    folder: mkdtempSync(join(folder, "repo-")),
    date: new Date(),
    packages,
  });
  repositories.push(repository);
  host.write("/etc/apt/keyrings/previous.gpg", readFileSync(repository.keyring));
  const source = sampleSources(repository).replace("autopatch-sample.gpg", "previous.gpg");
  host.write("/etc/apt/sources.list.d/previous.sources", source);
}

async function done(host: AgentHost, step: StepName, changes: Changes = {}) {
  const { result } = await host.step(step, changes);
  expect(result, JSON.stringify(result)).toMatchObject({ step, outcome: "succeeded" });
  return host.report(step);
}

test("each previous .deb comes from the first source that has the very bytes, and what cannot be had is said", {
  timeout: 120_000,
}, async () => {
  const host = await bench.host({ sources: [] });
  const [cached, spoiled, listed, lost] = ["cached", "spoiled", "listed", "lost"].map((name) => adversary({}, name));
  const pairs = [cached, spoiled, listed, lost].filter((pair) => pair !== undefined);
  await install(
    host,
    pairs.map((pair) => pair.old),
  );
  await offer(host, [...pairs.map((pair) => pair.next), ...[spoiled, listed].flatMap((pair) => pair?.old ?? [])]);
  const cache = (one: SamplePackage | undefined) => `/var/cache/apt/archives/${one === undefined ? "" : debName(one)}`;
  if (cached !== undefined) host.write(cache(cached.old), await built(cached.old));
  if (spoiled !== undefined)
    host.write(cache(spoiled.old), await built({ ...spoiled.old, summary: "the same version of other bytes" }));

  await done(host, "preflight");
  const refused = await host.step("download", { policy: { previousDebs: "required" } });
  await done(host, "download");
  await done(host, "verify");
  const report = await done(host, "backup");
  const { backupId } = dataOf(report.result, "backup") ?? { backupId: "" };
  const debs = `${HOST_PATHS.backups}/${backupId}/debs`;
  const index = JSON.parse(host.read(`${debs}/index.json`));
  const sums = await host.run("sh", "-c", `cd ${HOST_PATHS.backups}/${backupId} && sha256sum -c SHA256SUMS`);

  const why = "no repository lists it any more; dpkg-repack is not installed";
  expect(refused.result).toMatchObject({ outcome: "failed", code: "previousMissing", message: `lost 1.0-1: ${why}` });
  expect(report.previousDebs).toEqual({
    kept: 3,
    missing: [`lost 1.0-1: ${why}`],
    unverified: ["cached 1.0-1: cache"],
    wayBack: ["has no .deb of lost 1.0-1"],
  });
  expect(index.debs.map((d: Record<string, unknown>) => [d.name, d.from, d.verified])).toEqual([
    ["cached", "cache", false],
    ["listed", "archive", true],
    ["lost", "missing", undefined],
    ["spoiled", "archive", true],
  ]);
  expect(host.read(`${debs}/preferences`)).toContain("Package: listed\nPin: version 1.0-1\nPin-Priority: 1001\n");
  expect([sums.exitCode, sums.stdout]).toEqual([
    0,
    expect.stringContaining(`debs/${debName((listed as never as { old: SamplePackage }).old)}: OK`),
  ]);
});

test("a backup whose archive is damaged goes back by its .debs: packages, marks and holds as they were, every difference told", {
  timeout: 180_000,
}, async () => {
  const host = await bench.host({ role: "plain" });
  const quitter = adversary({}, "quitter").old;
  const taker = adversary({}, "taker");
  const next = { ...taker.next, fields: { Conflicts: "quitter", Replaces: "quitter" } };
  await install(host, [quitter, taker.old]);
  await offer(host, [quitter, taker.old, next]);
  await host.run("apt-mark", "auto", "quitter", "taker");
  await host.run("apt-mark", "hold", "base-files");
  host.write("/etc/webapp/webapp.conf", "listen=81\n");
  for (const step of ["preflight", "download", "verify"] as const) await done(host, step);
  const before = await takeFingerprint(host.sandbox);
  const backup = await done(host, "backup");
  await done(host, "install");
  await done(host, "validate");
  await done(host, "commit");
  const { backupId } = dataOf(backup.result, "backup") ?? { backupId: "" };
  const archive = inside(host.root, `${HOST_PATHS.backups}/${backupId}/files.tar.zst`);
  writeFileSync(archive, readFileSync(archive).subarray(0, 5_000));

  const byFiles = await host.run("rollback.sh", "--restore-system", backupId);
  const byDebs = await host.run("rollback.sh", "--restore-system", backupId, "--from-debs");
  const after = await takeFingerprint(host.sandbox);
  const comparison = compareFingerprints(before, after);

  expect(backup.previousDebs).toEqual({ kept: 6, missing: [], unverified: [], wayBack: [] });
  expect(byFiles.exitCode).toBe(9);
  expect(byFiles.stderr).toContain(
    `rollback.sh --restore-system ${backupId} --from-debs puts its 6 previous packages back`,
  );
  expect(byDebs.stderr).not.toContain("defect");
  expect(after.packages).toEqual(before.packages);
  expect(after.files["/etc/webapp/webapp.conf"]).toEqual(before.files["/etc/webapp/webapp.conf"]);
  // What no package holds, or dpkg writes anew, differs; each is in the report.
  const told = comparison.differences.filter(({ path }) => !byDebs.stdout.includes(`  ${path}: `));
  expect(told).toEqual([]);
  expect(comparison.differences.map(({ path, what }) => `${path} ${what}`)).toEqual([
    "/etc/webapp/webapp.conf.dpkg-dist added",
    "/var/lib/dpkg/status-old content",
  ]);
});
