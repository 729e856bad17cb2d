import { afterAll, beforeAll, expect, test } from "vitest";
import { HOST_PATHS } from "../../../contract/names.ts";
import type { StepName } from "../../../contract/steps.ts";
import { takeFingerprint } from "../../../local/hosts/fingerprint.ts";
import { compareFingerprints } from "../../../local/hosts/fingerprint-comparison.ts";
import type { SampleRole } from "../../../local/hosts/sample/packages.ts";
import { type AgentHost, type Bench, openBench } from "../bench.ts";
import { adversary, lockUpgrade } from "./adversary.ts";

let bench: Bench;
beforeAll(async () => {
  bench = await openBench();
});
afterAll(() => bench.close());

/** Locks of other programs, which a rollback leaves where they are. */
const LOCK_FILES = ["/var/lib/dpkg/lock", "/var/lib/dpkg/lock-frontend", "/var/lib/dpkg/triggers/Lock"];

/** A host of a role that has its lock, verified. */
async function lockedHost(role: SampleRole = "plain", edited: Record<string, string> = {}): Promise<AgentHost> {
  const host = await bench.host({ role, edited });
  for (const step of ["preflight", "download", "verify"] as const) await done(host, step);
  return host;
}

async function done(host: AgentHost, step: StepName) {
  const { result } = await host.step(step);
  expect(result, JSON.stringify(result)).toMatchObject({ step, outcome: "succeeded" });
  return result;
}

function stateOf(host: AgentHost): string {
  return JSON.parse(host.read(`${HOST_PATHS.state}/transaction.json`)).state;
}

test("an upgrade is committed, and a rollback after it leaves the host as it was, seen from outside", async () => {
  const host = await lockedHost("plain", { "/etc/webapp/webapp.conf": "listen=81\n" });
  await host.run("apt-mark", "hold", "base-files");
  const before = await takeFingerprint(host.sandbox);

  await done(host, "backup");
  const installed = await done(host, "install");
  await done(host, "validate");
  const committed = await done(host, "commit");
  const upgraded = await takeFingerprint(host.sandbox);
  const { result } = await host.step("rollback");
  const comparison = compareFingerprints(before, await takeFingerprint(host.sandbox));

  expect(installed).toMatchObject({ data: { packages: 5, removals: 0, conffilesKept: 1 } });
  expect(committed).toMatchObject({ data: { backupId: expect.stringMatching(/^backup_\d{8}T\d{6}Z$/) } });
  expect(upgraded.packages["dpkg -l"].filter((line) => /^ii +(webapp|libreport2) +2\.0-1/.test(line))).toHaveLength(2);
  expect(upgraded.packages["apt-mark showauto"]).toContain("libreport2");
  expect(upgraded.packages["apt-mark showhold"]).toEqual(["base-files"]);
  expect(upgraded.files["/etc/webapp/webapp.conf"]).toEqual(before.files["/etc/webapp/webapp.conf"]);
  expect(upgraded.files["/etc/webapp/webapp.conf.dpkg-dist"]?.type).toBe("file");
  expect(result).toMatchObject({ outcome: "succeeded", data: { identical: true, differences: 0 } });
  expect(comparison.differences).toEqual([]);
  expect(comparison.otherTimes.filter((path) => !LOCK_FILES.includes(path))).toEqual([]);
});

test("an application that wrote into its folders meanwhile keeps what it wrote, and the rollback is identical", async () => {
  const host = await lockedHost();
  const [folder, left] = ["/var/lib/jenkins/workspace", "/var/lib/jenkins/workspace/console.log"];
  host.write(`${folder}/before`, "build 1\n");
  await host.run("touch", "--date=2020-01-01", folder);

  await done(host, "backup");
  await done(host, "install");
  host.write(left, "build 2\n");
  const { result } = await host.step("rollback");

  expect(result).toMatchObject({ outcome: "succeeded", data: { identical: true, differences: 0 } });
  expect([host.read(left), host.read(`${folder}/before`)]).toEqual(["build 2\n", "build 1\n"]);
});

test("a failing postinst is named, and the host is as it was before the step answers", async () => {
  const host = await lockedHost("failing");
  const before = await takeFingerprint(host.sandbox);

  await done(host, "backup");
  const { exit, result } = await host.step("install");
  const comparison = compareFingerprints(before, await takeFingerprint(host.sandbox));
  const again = await host.step("rollback");

  expect(exit).toBe(10);
  expect(result).toMatchObject({ outcome: "failed", code: "maintainerScriptFailed", rolledBack: true });
  expect(result).toMatchObject({
    message: expect.stringMatching(/^failing-app: its postinst .*cannot reach the licence server/s),
  });
  expect(comparison.differences).toEqual([]);
  expect(again.result).toMatchObject({ outcome: "succeeded", data: { identical: true, differences: 0 } });
  expect(stateOf(host)).toBe("rolledBack");
});

test("a host that is not well after the install says which check, and goes back when it is told to", async () => {
  const host = await lockedHost("unhealthy");
  const before = await takeFingerprint(host.sandbox);

  await done(host, "backup");
  await done(host, "install");
  const sick = await host.step("validate");
  const uncommitted = stateOf(host);
  const back = await host.step("rollback");
  const commit = await host.step("commit");

  expect(sick.exit).toBe(11);
  expect(sick.result).toMatchObject({
    outcome: "failed",
    code: "unhealthy",
    message: expect.stringContaining("unhealthy-app: exit 1: unhealthy-app: queue format 2 is not readable"),
  });
  expect(uncommitted).toBe("trial");
  expect(back.result).toMatchObject({ outcome: "succeeded", data: { identical: true } });
  expect(compareFingerprints(before, await takeFingerprint(host.sandbox)).differences).toEqual([]);
  expect(commit.result).toMatchObject({ outcome: "failed", code: "noTransaction" });
});

test("steps sent again after they are done change nothing and answer the same", async () => {
  const host = await lockedHost();
  await done(host, "backup");
  const first = await done(host, "install");
  const installedAt = host.read("/var/lib/dpkg/status");

  const second = await done(host, "install");
  await done(host, "commit");
  const committedAgain = await done(host, "commit");
  const rolledBack = await done(host, "rollback");
  const rolledBackAgain = await done(host, "rollback");

  expect("data" in second && second.data.lockDigest).toBe("data" in first && first.data.lockDigest);
  expect(installedAt).toContain("Version: 2.0-1");
  expect(committedAgain.outcome).toBe("succeeded");
  expect("data" in rolledBackAgain && rolledBackAgain.data).toEqual("data" in rolledBack && rolledBack.data);
});

test("what an application wrote after the install survives the rollback; packages installed since are not thrown away", async () => {
  const host = await lockedHost();
  for (const step of ["backup", "install", "validate", "commit"] as const) await done(host, step);
  host.write("/var/lib/otherapp/orders.db", "order 1\n");
  host.write("/usr/local/bin/report", "#!/bin/sh\n", 0o755);
  await host.run("apt-mark", "hold", "webapp");

  const blocked = await host.step("rollback");
  await host.run("apt-mark", "unhold", "webapp");
  const { result } = await host.step("rollback");

  expect(blocked.result).toMatchObject({ outcome: "blocked", reasons: [{ code: "packagesChangedSince" }] });
  expect(result).toMatchObject({ outcome: "succeeded", data: { identical: true } });
  expect(host.read("/var/lib/otherapp/orders.db")).toBe("order 1\n");
  expect(host.read("/usr/local/bin/report")).toBe("#!/bin/sh\n");
});

test("an administrator's edit made after the install survives the rollback, what it was beside it, and is not called identical", async () => {
  const host = await bench.host({ sources: [] });
  await lockUpgrade(host, [adversary({}), adversary({}, "bystander")]);
  for (const step of ["backup", "install", "validate", "commit"] as const) await done(host, step);
  const shipped = host.read("/etc/adversary.conf");
  host.write("/etc/adversary.conf", "version=2.0-1\nport=81\n");
  await host.run("rm", "/etc/bystander.conf");

  const { result } = await host.step("rollback");
  const { rollback } = host.report("rollback");
  const again = await host.run("rollback.sh", "--restore-system", "latest");

  expect(shipped).toBe("version=2.0-1\n");
  expect(result).toMatchObject({ outcome: "succeeded", data: { identical: false, differences: 0 } });
  expect(rollback).toMatchObject({
    identical: false,
    differences: [],
    keptEdits: [
      "/etc/adversary.conf: changed after the installation, kept so; as it was: /etc/adversary.conf.autopatch-before~",
      "/etc/bystander.conf: deleted after the installation, kept so; the backup has it as it was",
    ],
  });
  expect(host.read("/etc/adversary.conf")).toBe("version=2.0-1\nport=81\n");
  expect(host.read("/etc/adversary.conf.autopatch-before~")).toBe("version=1.0-1\n");
  expect((await host.run("ls", "/etc/bystander.conf")).exitCode).not.toBe(0);
  expect(host.read("/usr/lib/adversary/program")).toContain("echo 1.0-1");
  expect(again).toMatchObject({
    exitCode: 0,
    stdout: expect.stringContaining("the host is what it was, but for what was changed since and kept."),
  });
});

test("a package that asks for a reboot: the answer says so, and the trial goes on", async () => {
  const host = await bench.host({ sources: [] });
  await lockUpgrade(host, [
    adversary({ postinst: "#!/bin/sh\ntouch /run/reboot-required\necho linux-base >> /run/reboot-required.pkgs\n" }),
  ]);
  await done(host, "backup");

  const { exit, result } = await host.step("install");

  expect(exit).toBe(0);
  expect(result).toMatchObject({
    outcome: "rebootRequired",
    reasons: [{ code: "rebootRequired", message: "linux-base asks for a reboot" }],
    data: { packages: 1, removals: 0 },
  });
  expect(stateOf(host)).toBe("trial");
});

test("a health check that others may write is not run as root; one that is no program is none", async () => {
  const host = await bench.host({ sources: [] });
  await lockUpgrade(host, [adversary({})]);
  host.write(`${HOST_PATHS.healthChecks}/README`, "not executable\n");
  host.write(
    `${HOST_PATHS.healthChecks}/flaky`,
    "#!/bin/sh\ntest -e /run/asked || { touch /run/asked; exit 1; }\n",
    0o755,
  );
  await done(host, "backup");
  await done(host, "install");

  const first = await done(host, "validate");
  host.write(`${HOST_PATHS.healthChecks}/open`, "#!/bin/sh\ntouch /run/was-run\n", 0o777);
  const { exit, result } = await host.step("validate");

  expect("data" in first && first.data).toEqual({ checks: 4 });
  expect(exit).toBe(8);
  expect(result).toMatchObject({ code: "pathUnsafe", message: expect.stringContaining("health.d/open") });
  expect((await host.run("ls", "/run/was-run")).exitCode).not.toBe(0);
});

test("a dry run goes through every step and changes nothing", async () => {
  const host = await bench.host();
  const dry = { dryRun: true };
  await host.step("preflight", dry);
  await host.step("download", dry);
  const before = await takeFingerprint(host.sandbox);

  const outcomes = [];
  for (const step of ["verify", "backup", "install", "validate", "commit", "rollback"] as const)
    outcomes.push((await host.step(step, dry)).result.outcome);

  expect(outcomes).toEqual(["succeeded", "succeeded", "succeeded", "succeeded", "succeeded", "nothingToDo"]);
  expect(compareFingerprints(before, await takeFingerprint(host.sandbox)).differences).toEqual([]);
  expect((await host.run("ls", HOST_PATHS.backups)).exitCode).not.toBe(0);
});
