import { readdirSync, truncateSync } from "node:fs";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { RecoveryReport } from "../../../agent/recovery/phases.ts";
import { HOST_PATHS } from "../../../contract/names.ts";
import { takeFingerprint } from "../../../local/hosts/fingerprint.ts";
import { compareFingerprints } from "../../../local/hosts/fingerprint-comparison.ts";
import { inside } from "../../../local/hosts/inside.ts";
import { type AgentHost, type Bench, NO_CLOUD, openBench } from "../bench.ts";

let bench: Bench;
beforeAll(async () => {
  bench = await openBench();
});
afterAll(() => bench.close());

const recovery = (host: AgentHost, ...args: string[]) =>
  host.run("/usr/local/bin/autopatch-manager.sh", "disaster-recovery", ...args);

const RECOVER = ["disaster-recovery", "--type=generic", "--mode=standard"] as const;

function backupsOf(host: AgentHost): string[] {
  const names = readdirSync(inside(host.root, HOST_PATHS.backups));
  return names.filter((name) => name.startsWith("backup_")).sort();
}

/** Waits until the journal of a transaction says so. */
async function untilState(host: AgentHost, state: string): Promise<void> {
  for (const end = Date.now() + 60_000; Date.now() < end; await new Promise((resolve) => setTimeout(resolve, 5)))
    if (host.read(`${HOST_PATHS.state}/transaction.json`).includes(`"state": "${state}"`)) return;
  throw new Error(`${state} was not reached`);
}

test("without a valid backup it says what to do by hand, and exits 9", async () => {
  const host = await bench.host();

  const answer = await recovery(host, "--type", "hardware_failure", "--mode", "standard");

  expect(answer.exitCode).toBe(9);
  expect(answer.stdout).toContain("Phase 2: backup: FAILED");
  expect(answer.stdout).toContain("NO VALID BACKUP");
  expect(answer.stdout).toContain("Phase 3: restore: skipped");
});

test("the newest backup that is valid comes back whole, one that was cut is passed over, a dry run changes nothing", async () => {
  const host = await bench.host();
  host.write("/etc/autopatch/health.d/well", "#!/bin/sh\necho well\n", 0o755);
  const before = await takeFingerprint(host.sandbox);
  const updated = await host.run("/usr/local/bin/autopatch-manager.sh", "full-update", "--backup");
  const after = await takeFingerprint(host.sandbox);
  await host.run("sleep", "1");
  await host.run("/usr/local/bin/install.sh", "--backup", "--force");
  const newest = backupsOf(host).at(-1) ?? "";
  truncateSync(inside(host.root, `${HOST_PATHS.backups}/${newest}/manifest.json`), 100);

  const planned = await recovery(host, "--type", "generic", "--mode", "complete", "--dry-run");
  const untouched = compareFingerprints(after, await takeFingerprint(host.sandbox));
  const recovered = await recovery(host, "--type=data_corruption", "--mode=standard");
  const came = compareFingerprints(before, await takeFingerprint(host.sandbox));

  expect([updated.exitCode, planned.exitCode], updated.stderr + planned.stderr).toEqual([0, 0]);
  expect(planned.stdout).toContain("put back in a clone of this host, and compared");
  expect(untouched.differences).toEqual([]);
  expect(recovered.exitCode, recovered.stderr + recovered.stdout).toBe(0);
  expect(recovered.stdout).toContain(`passed over: ${newest}: `);
  expect(recovered.stdout).toContain("healthy: well: well");
  expect(came.differences).toEqual([]);
});

test("lost hardware: a host that lost files, packages and marks is whole again, with every cache made anew", async () => {
  const host = await bench.host();
  host.write("/etc/autopatch/reindex.d/db", "#!/bin/sh\ntest -x /usr/bin/ldd && echo whole > /run/reindexed\n", 0o755);
  expect((await host.run("install.sh", "--backup", "--force")).exitCode).toBe(0);
  const before = await takeFingerprint(host.sandbox);
  await host.run("rm", "-r", "/usr/bin/ldd", "/usr/lib/webapp", "/usr/share/perl5", "/etc/webapp");
  await host.run("sh", "-c", "rm /var/lib/dpkg/info/webapp.* && echo 'Package: broken' > /var/lib/dpkg/status");
  host.write("/etc/ld.so.cache", "spoilt");

  const recovered = await recovery(host, "--type=hardware_failure", "--mode=complete", "--format=json");
  const report: RecoveryReport = JSON.parse(recovered.stdout);

  expect(recovered.exitCode, recovered.stderr + recovered.stdout).toBe(0);
  expect(report.phases.map(({ phase, outcome }) => `${phase} ${outcome}`)).toEqual(
    ["assessment", "backup", "restore", "rebuild", "validation"].map((phase) => `${phase} done`),
  );
  expect(report.phases[3]?.detail).toBe("made anew: libraries, /etc/autopatch/reindex.d/db");
  expect(host.read("/run/reindexed")).toBe("whole\n");
  expect(compareFingerprints(before, await takeFingerprint(host.sandbox)).differences).toEqual([]);
});

test("minimal puts back the critical packages' files of the named backup, and refuses those of another version", async () => {
  const host = await bench.host();
  host.write(HOST_PATHS.config, `${NO_CLOUD}AUTOPATCH_CRITICAL_PACKAGES=webapp\n`, 0o600);
  await host.run("install.sh", "--backup", "--force");
  const [first = ""] = backupsOf(host);
  const [critical, other] = ["/usr/lib/webapp/healthcheck", "/usr/share/doc/reportd/changelog.Debian.gz"] as const;
  const good = host.read(critical);
  for (const path of [critical, other]) host.write(path, "spoilt\n");
  await host.run("sleep", "1");
  await host.run("install.sh", "--backup", "--force");
  const args = ["--type=generic", "--mode=minimal", "--backup", first] as const;

  const missing = await recovery(host, "--type=generic", "--mode=minimal", "--backup=backup_20200101T000000Z");
  const recovered = await recovery(host, ...args);
  const back = [host.read(critical), host.read(other)];
  await host.run("autopatch-manager.sh", "full-update");
  const updated = await takeFingerprint(host.sandbox);
  const refused = await recovery(host, ...args);

  expect(backupsOf(host).length).toBeGreaterThan(1);
  expect(missing).toMatchObject({ exitCode: 9, stderr: expect.stringContaining("backup_20200101T000000Z") });
  expect(recovered.exitCode, recovered.stderr + recovered.stdout).toBe(0);
  expect(recovered.stdout).toContain(`backup: ${first}\n`);
  expect(back).toEqual([good, "spoilt\n"]);
  expect(refused.exitCode).toBe(9);
  expect(refused.stderr).toMatch(/webapp is 2\.0-1, in the backup 1\.0-1; .*--mode standard puts all packages back/);
  expect(compareFingerprints(updated, await takeFingerprint(host.sandbox)).differences).toEqual([]);
});

test("a named backup that is damaged is refused: neither another one nor the bucket's stands in for it", async () => {
  const host = await bench.host();
  // Whoever asked the bucket would be refused at port 9, and the plan would say so.
  host.write(HOST_PATHS.config, `${NO_CLOUD}AUTOPATCH_BUCKET=backups-of-a-fleet\n`, 0o600);
  await host.run("install.sh", "--backup", "--force");
  await host.run("sleep", "1");
  await host.run("install.sh", "--backup", "--force");
  const [good = "", named = ""] = backupsOf(host);
  truncateSync(inside(host.root, `${HOST_PATHS.backups}/${named}/manifest.json`), 100);
  const before = await takeFingerprint(host.sandbox);

  const answer = await recovery(host, "--type=generic", "--mode=standard", "--backup", named);

  expect(answer.exitCode).toBe(9);
  expect(answer.stdout).toContain("restore: skipped");
  expect(answer.stdout).toContain(`  ${named}: `);
  expect(answer.stdout).not.toContain(good);
  expect(answer.stdout).toContain("Ask backups-of-a-fleet: rollback.sh --fetch-backup latest");
  expect(compareFingerprints(before, await takeFingerprint(host.sandbox)).differences).toEqual([]);
});

test("a recovery that is killed while it puts files back is done whole by the next", async () => {
  const host = await bench.host();
  const before = await takeFingerprint(host.sandbox);
  expect((await host.run("autopatch-manager.sh", "full-update", "--backup")).exitCode).toBe(0);
  host.write("/usr/bin/ldd", "spoilt\n");

  const dying = host.run("sh", "-c", 'autopatch-manager.sh "$@" & echo $! > /run/recovery; wait $!', "sh", ...RECOVER);
  await untilState(host, "rollingBack");
  await host.run("sh", "-c", "kill -9 $(cat /run/recovery)");
  const killed = await dying;
  const again = await recovery(host, ...RECOVER.slice(1));

  expect(killed.exitCode).toBe(137);
  expect(again.exitCode, again.stderr + again.stdout).toBe(0);
  const after = await takeFingerprint(host.sandbox);
  // What no change of ours touched is in no backup of a change: it is named, not mended.
  expect(compareFingerprints(before, after).differences.map(({ path }) => path)).toEqual(["/usr/bin/ldd"]);
  expect(again.stdout).toContain("/usr/bin/ldd");
});

test("types and modes are refused by name, the nearest right one beside", async () => {
  const host = await bench.host();

  const answers = [
    await recovery(host, "--type", "fire", "--mode", "standard"),
    await recovery(host, "--type", "security-breech", "--mode", "standard"),
    await recovery(host, "--type", "generic", "--mode=complet"),
    await recovery(host, "--type", "generic"),
  ];

  expect(answers.map(({ exitCode }) => exitCode)).toEqual([2, 2, 2, 2]);
  expect(answers[0]?.stderr).toContain(
    "unknown type fire. Known: hardware_failure, data_corruption, security_breach, generic",
  );
  expect(answers[1]?.stderr).toContain("Did you mean security_breach?");
  expect(answers[2]?.stderr).toContain("unknown mode complet. Did you mean complete?");
  expect(answers[3]?.stderr).toContain("--mode=minimal|standard|complete");
});
