import { mkdtempSync, readFileSync, rmSync, truncateSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { HOST_PATHS } from "../../../contract/names.ts";
import { takeFingerprint } from "../../../local/hosts/fingerprint.ts";
import { compareFingerprints } from "../../../local/hosts/fingerprint-comparison.ts";
import { inside } from "../../../local/hosts/inside.ts";
import { openSampleRepository, type SampleRepository } from "../../../local/hosts/sample/repository.ts";
import { sampleSources } from "../../../local/hosts/sources.ts";
import { type AgentHost, type Bench, openBench } from "../bench.ts";
import { adversary, lockUpgrade } from "../patch/adversary.ts";

let bench: Bench;
beforeAll(async () => {
  bench = await openBench();
});
afterAll(() => bench.close());

/** Types a line into the host's shell, as the seed's scripts do. */
async function shell(host: AgentHost, line: string) {
  const { exitCode, stdout, stderr } = await host.run("sh", "-c", line);
  return { exit: exitCode, stdout, stderr };
}

test("the seed's own lines: download, install --backup, find the newest backup, restore it by force", async () => {
  const host = await bench.host();
  const before = await takeFingerprint(host.sandbox);

  const download = await shell(host, "download.sh");
  const install = await shell(host, "install.sh --backup --verbose");
  const version = await shell(host, "dpkg-query -W -f='${Version}' webapp");
  const latest = await shell(host, "rollback.sh --list-backups | grep backup_ | tail -1 | awk '{print $2}'");
  const link = await shell(host, "readlink /var/tmp/autopatch_backups/latest");
  const sums = await shell(host, "cd /var/tmp/autopatch_backups/latest && sha256sum -c SHA256SUMS");
  const valid = await shell(host, `rollback.sh --validate-backup ${latest.stdout}`);
  const restore = await shell(
    host,
    "rollback.sh --restore-system $(readlink /var/tmp/autopatch_backups/latest) --force",
  );
  const comparison = compareFingerprints(before, await takeFingerprint(host.sandbox));

  expect([download.exit, install.exit], install.stderr).toEqual([0, 0]);
  expect(version.stdout).toBe("2.0-1");
  expect(install.stdout).toMatch(/^commit: succeeded /m);
  expect(latest.stdout).toMatch(/^backup_\d{8}T\d{6}Z\n$/);
  expect(link.stdout).toBe(`/var/tmp/autopatch_backups/${latest.stdout}`);
  expect(sums.stdout.trim().split("\n")).toEqual([
    "manifest.json: OK",
    "files.tar.zst: OK",
    "before.scan.zst: OK",
    ...["metricsd", "reportd", "webapp", "webapp-common"].map((name) => `debs/${name}_1.0-1_all.deb: OK`),
    "debs/preferences: OK",
    "debs/index.json: OK",
  ]);
  expect(valid.stdout).toMatch(/^backup_\w+ is valid: \d+ paths/);
  expect(restore.exit, restore.stderr).toBe(0);
  expect(restore.stdout).toContain("the host is identical to what it was");
  expect(comparison.differences).toEqual([]);
  const summaries = await shell(host, `cat ${HOST_PATHS.logs}/install_summary_*.txt`);
  expect(summaries.stdout).toContain("  webapp all 1.0-1 -> 2.0-1\n");
});

test("two upgrades one after the other: restoring the older backup undoes both, the newer first", async () => {
  const host = await bench.host();
  const before = await takeFingerprint(host.sandbox);
  await shell(host, "download.sh && install.sh");
  const first = (await shell(host, "readlink /var/tmp/autopatch_backups/latest")).stdout.trim();
  const between = await takeFingerprint(host.sandbox);
  await lockUpgrade(host, [adversary({})]);
  for (const step of ["backup", "install", "commit"] as const)
    expect((await host.step(step)).result.outcome).toBe("succeeded");

  const refused = await shell(host, `dpkg --remove adversary && rollback.sh --restore-system ${first}`);
  const restored = await shell(host, `rollback.sh --restore-system ${first} --force`);
  const comparison = compareFingerprints(before, await takeFingerprint(host.sandbox));

  expect(between.packages["dpkg -l"].some((line) => /^ii +webapp +2\.0-1/.test(line))).toBe(true);
  expect(refused.exit).toBe(5);
  expect(refused.stderr).toContain("packages were changed by somebody else");
  expect(restored.stdout.match(/^Restored from backup_/gm), restored.stderr).toHaveLength(2);
  // The adversary's 1.0 was put on by hand between the two: it is no upgrade's to undo.
  const byHand = comparison.differences.filter((d) => !/adversary/.test(`${d.path}${d.before}${d.after}`));
  expect(byHand).toEqual([]);
});

test("a maintainer script that hangs is ended with all it started, and rolled back", async () => {
  const folder = mkdtempSync(join(tmpdir(), "autopatch-hang-"));
  const { old, next } = adversary({
    postinst: "#!/bin/sh\necho format=2 > /var/lib/adversary/state\nsetsid sleep 61 &\nsleep 61\n",
  });
  let repository: SampleRepository | undefined;
  try {
    repository = await openSampleRepository({ folder: join(folder, "r"), date: new Date(), packages: [old, next] });
    const host = await bench.host({ sources: [] });
    await lockUpgrade(host, [{ old, next }]);
    host.write("/etc/apt/keyrings/autopatch-sample.gpg", readFileSync(repository.keyring));
    host.write("/etc/apt/sources.list.d/adversary.sources", sampleSources(repository));
    await shell(host, "download.sh");
    const before = await takeFingerprint(host.sandbox);

    const install = await shell(host, "install.sh --deadline-seconds 4");
    const running = await shell(host, "cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' ' '");

    expect(install.exit, install.stderr).toBe(10);
    expect(install.stdout).toContain("install: failed (installTimedOut), rolled back: apt-get did not end within 4 s");
    expect(compareFingerprints(before, await takeFingerprint(host.sandbox)).differences).toEqual([]);
    expect(running.stdout).not.toContain("sleep 61");
  } finally {
    await repository?.close();
    rmSync(folder, { recursive: true, force: true });
  }
});

test("an install that was ended before it was committed is taken up where it stopped", async () => {
  const host = await bench.host();
  for (const step of ["preflight", "download", "verify", "backup", "install"] as const) await host.step(step);

  const install = await shell(host, "install.sh --backup");
  const journal = JSON.parse(host.read(`${HOST_PATHS.state}/transaction.json`));
  const backups = await shell(host, "rollback.sh --list-backups");

  expect(install.exit, install.stderr).toBe(0);
  expect(journal.state).toBe("committed");
  expect(backups.stdout.trim().split("\n")).toHaveLength(1);
});

test("nothing to install is no failure, and a backup is made when it is asked for by force", async () => {
  const host = await bench.host({ sources: [] });

  const nothing = await shell(host, "install.sh");
  const none = await shell(host, "rollback.sh --list-backups");
  const forced = await shell(host, "install.sh --backup --force");
  const list = await shell(host, "rollback.sh --list-backups");

  expect(nothing).toMatchObject({ exit: 0, stdout: expect.stringContaining("Nothing to install") });
  expect(none.stdout).toBe("No backups.\n");
  expect(forced).toMatchObject({
    exit: 0,
    stdout: expect.stringMatching(/Backup made as asked: backup_\w+, \d+ paths/),
  });
  expect(list.stdout).toMatch(/^\* backup_\d{8}T\d{6}Z {2}\S+ {2}[\d.]+ MB {2}\d+ paths, complete, run /);

  const archive = `${(await shell(host, "readlink /var/tmp/autopatch_backups/latest")).stdout.trim()}/files.tar.zst`;
  truncateSync(inside(host.root, archive), 100);
  const cut = await shell(host, "rollback.sh --validate-backup latest");
  expect(cut).toMatchObject({ exit: 9, stderr: expect.stringContaining("files.tar.zst has SHA-256") });
});

test("what is asked wrongly is named with the way out", async () => {
  const host = await bench.host({ sources: [] });
  const lines: [string, number, string][] = [
    ["install.sh --bakcup", 2, "unknown option --bakcup. Did you mean --backup?"],
    ["install.sh --no-backup", 2, "--no-backup installs without any way back; say --force too"],
    ["install.sh --deadline-seconds soon", 2, "--deadline-seconds soon: a whole number of seconds"],
    ["rollback.sh", 2, "say one of --list-backups"],
    ["rollback.sh --restore-system backup_20200101T000000Z", 9, "backup_20200101T000000Z is not there"],
    ["rollback.sh --restore-system /etc", 9, '"/etc" is no backup'],
    ["rollback.sh --restore-system latest", 9, "there is no backup in /var/tmp/autopatch_backups yet"],
    ["setpriv --reuid 65534 install.sh", 4, "runs as user 65534"],
  ];
  for (const [line, exit, words] of lines) {
    const answer = await shell(host, line);
    expect({ line, exit: answer.exit }).toEqual({ line, exit });
    expect(answer.stderr).toContain(words);
  }
});
