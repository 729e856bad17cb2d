import { existsSync } from "node:fs";
import { afterAll, beforeAll, expect, test } from "vitest";
import { HOST_PATHS } from "../../../contract/names.ts";
import { takeFingerprint } from "../../../local/hosts/fingerprint.ts";
import { compareFingerprints } from "../../../local/hosts/fingerprint-comparison.ts";
import { inside } from "../../../local/hosts/inside.ts";
import { type AgentHost, type Bench, openBench } from "../bench.ts";
import { adversary, lockUpgrade } from "./adversary.ts";

let bench: Bench;
beforeAll(async () => {
  bench = await openBench();
});
afterAll(() => bench.close());

/** Changes what no list and no text of the package names. */
const HIDDEN = `#!/bin/sh
set -e
dir=/usr/bin
printf '#!/bin/sh\\n' > $dir/who
lib=/usr/lib; mkdir -p $lib/hidden-$(echo made); echo new > $lib/hidden-made/file
rm -r /usr/share/doc/grep && mkdir /usr/share/doc/grep
`;

async function locked(pair: ReturnType<typeof adversary>): Promise<AgentHost> {
  const host = await bench.host({ sources: [] });
  await lockUpgrade(host, [pair]);
  return host;
}

test("what a script touches without naming it is known before the window, and the rollback of the change is identical", async () => {
  const host = await locked(adversary({ postinst: HIDDEN }));
  const before = await takeFingerprint(host.sandbox);

  const { result: rehearsed, stderr } = await host.step("rehearse");
  const untouched = compareFingerprints(before, await takeFingerprint(host.sandbox)).differences;
  const { rehearsal } = host.report("rehearse");
  const backup = await host.step("backup");
  const { backup: kept } = host.report("backup");
  const installed = await host.step("install");
  const changed = compareFingerprints(before, await takeFingerprint(host.sandbox)).differences.length;
  const restored = await host.step("rollback");

  expect(rehearsed, stderr).toMatchObject({
    outcome: "succeeded",
    data: { possible: true, reason: null, wayBack: "identical" },
  });
  expect(rehearsal).toMatchObject({ changedPaths: expect.any(Number), differences: [] });
  expect(rehearsal?.changedPaths).toBeGreaterThan(10);
  expect(untouched).toEqual([]);
  expect(backup.result.outcome, backup.stderr).toBe("succeeded");
  expect(kept).toEqual({ set: "rehearsed", reason: null });
  expect(installed.result.outcome, installed.stderr).toBe("succeeded");
  expect(changed).toBeGreaterThan(0);
  expect(restored.result).toMatchObject({ outcome: "succeeded", data: { identical: true } });
  expect(compareFingerprints(before, await takeFingerprint(host.sandbox)).differences).toEqual([]);
});

test("a script that fails is found in the clone: the host is untouched, and nothing of the clone is left", async () => {
  const host = await locked(adversary({ postinst: "#!/bin/sh\necho the disk is on fire >&2\nexit 3\n" }));
  const before = await takeFingerprint(host.sandbox);

  const { exit, result } = await host.step("rehearse");
  const left = await host.run("sh", "-c", "ls -d /var/lib/autopatch/clone-* 2>/dev/null; grep -c clone- /proc/mounts");
  const required = await host.step("backup", { policy: { rehearse: "required" } });

  expect(exit).toBe(10);
  expect(result).toMatchObject({
    outcome: "failed",
    code: "maintainerScriptFailed",
    message: expect.stringMatching(
      /^in the rehearsal, nothing of the host was changed: adversary: its postinst .*the disk is on fire/s,
    ),
  });
  expect(compareFingerprints(before, await takeFingerprint(host.sandbox)).differences).toEqual([]);
  expect(left.stdout).toBe("0\n");
  expect(required.result).toMatchObject({
    code: "rehearsalFailed",
    message: expect.stringContaining("the policy requires a rehearsal: the change was not rehearsed"),
  });
});

test("a hostile script in the clone reaches no file of the host, and what it started ends with the clone", async () => {
  const postinst = `#!/bin/sh
rm -rf /usr/lib/autopatch /var/tmp/autopatch_backups
ln -s /root /var/lib/adversary/link
echo gone > /root/prize
setsid sh -c 'while :; do echo x > /root/prize; sleep 1; done' >/dev/null 2>&1 &
exit 1
`;
  const host = await locked(adversary({ postinst }));
  host.write("/root/prize", "safe\n");

  const { result } = await host.step("rehearse");

  expect(result).toMatchObject({ outcome: "failed", code: "maintainerScriptFailed" });
  expect(host.read("/root/prize")).toBe("safe\n");
  expect(existsSync(inside(host.root, "/usr/lib/autopatch/autopatch"))).toBe(true);
  expect((await host.run("sh", "-c", "cat /proc/[0-9]*/comm")).stdout).not.toContain("sleep");
});

test("a configuration that the new version no longer takes fails the rehearsal; what failed before is not the change's fault", async () => {
  const { old, next } = adversary({});
  const host = await locked({ old, next });
  const tests = HOST_PATHS.rehearsalTests;
  // As nginx does, it makes folders of its own when it is asked.
  host.write(
    `${tests}/takes-its-configuration`,
    "#!/bin/sh\nmkdir -p /var/lib/otherapp/cache; grep -q ^port= /etc/adversary.conf\n",
    0o755,
  );
  host.write("/var/lib/otherapp/orders.db", "order 1\n");
  host.write(`${tests}/always-broken`, "#!/bin/sh\necho no licence >&2\nexit 4\n", 0o755);
  host.write(`${tests}/old-alone`, "#!/bin/sh\necho asks for: && /usr/lib/adversary/program && exit 0\n", 0o755);
  host.write("/etc/adversary.conf", "port=80\n");
  const before = await takeFingerprint(host.sandbox);

  const kept = await host.step("rehearse");
  const { rehearsal: good } = host.report("rehearse");
  const replaced = await host.step("rehearse", { policy: { conffiles: "replace" } });
  const { rehearsal: bad } = host.report("rehearse");
  const backup = await host.step("backup", { policy: { conffiles: "replace" } });

  const outcomes = (tests: typeof good) => tests?.tests.map(({ name, outcome }) => `${name} ${outcome}`);
  expect(kept.result, kept.stderr).toMatchObject({ outcome: "succeeded", data: { tests: 2 } });
  expect(outcomes(good)).toEqual([
    "rehearsal.d/always-broken failedBefore",
    "rehearsal.d/old-alone passed",
    "rehearsal.d/takes-its-configuration passed",
  ]);
  expect(good?.tests[0]?.evidence).toBe("exit 4: no licence");
  expect(replaced.exit).toBe(6);
  expect(replaced.result).toMatchObject({
    outcome: "failed",
    code: "rehearsalFailed",
    message:
      "in the rehearsal, nothing of the host was changed: the test of rehearsal.d/takes-its-configuration fails after the change: exit 1",
  });
  expect(outcomes(bad)).toContain("rehearsal.d/takes-its-configuration failed");
  expect(host.report("backup").backup).toEqual({
    set: "computed",
    reason: "the rehearsal was made under another policy for conffiles",
  });
  expect(backup.result.outcome).toBe("succeeded");
  expect(compareFingerprints(before, await takeFingerprint(host.sandbox)).differences).toEqual([]);
});

test("a rehearsal holds for this very change on this very host; else the set is computed, and why is said", async () => {
  const host = await locked(adversary({}));
  await host.step("rehearse");
  await host.run("apt-mark", "hold", "base-files");

  const { result, stderr } = await host.step("backup");
  const { backup } = host.report("backup");
  const off = await host.step("rehearse", { policy: { rehearse: "off" } });
  const dry = await host.step("rehearse", { dryRun: true });

  expect(result.outcome).toBe("succeeded");
  expect(backup).toEqual({ set: "computed", reason: "packages were changed since the rehearsal" });
  expect(stderr).toContain(
    "what to keep is computed from lists and scripts: packages were changed since the rehearsal",
  );
  expect(off.result).toMatchObject({ data: { possible: false, reason: "switched off by the policy" } });
  expect(dry.result).toMatchObject({ data: { possible: false, reason: "a dry run rehearses nothing" } });
});

test("typed on the host it is rehearsed when asked, once, and the install keeps what the rehearsal found", async () => {
  const host = await bench.host();
  await host.run("download.sh");

  const failed = await host.run("install.sh", "--rehearse", "--no-rehearse");
  const installed = await host.run("install.sh", "--rehearse");

  expect(failed.exitCode).toBe(2);
  expect(installed.exitCode, installed.stderr).toBe(0);
  expect(installed.stdout).toMatch(/^rehearse: succeeded .*"wayBack":"identical"/m);
  expect(installed.stderr).toContain("what to keep is known from the rehearsal");
});

test("a restore test puts the newest backup back in a clone, says identical, and changes nothing", async () => {
  const host = await locked(adversary({}));
  await host.step("backup");
  await host.step("install");
  const after = await takeFingerprint(host.sandbox);

  const tested = await host.run("rollback.sh", "--restore-test", "--latest-backup");

  expect(tested.exitCode, tested.stderr).toBe(0);
  expect(tested.stdout).toMatch(
    /^In a clone of this host:\nRestored from backup_\w+: the host is identical to what it was\./,
  );
  expect(compareFingerprints(after, await takeFingerprint(host.sandbox)).differences).toEqual([]);
});

test("a restore test of a backup that lacks something fails and names it; a damaged one is refused", async () => {
  const host = await locked(adversary({ postinst: HIDDEN }));
  await host.step("backup");
  await host.step("install");

  const incomplete = await host.run("rollback.sh", "--restore-test");
  await host.run("sh", "-c", "echo x >> $(readlink /var/tmp/autopatch_backups/latest)/files.tar.zst");
  const damaged = await host.run("rollback.sh", "--restore-test", "latest");

  expect(incomplete.exitCode).toBe(12);
  expect(incomplete.stdout).toContain("/usr/bin/who: content");
  expect(damaged.exitCode).toBe(9);
  expect(damaged.stderr).toContain("files.tar.zst has SHA-256");
});

test("where no clone can be had the set is computed and the agent says so; a host that must be rehearsed is not patched", async () => {
  const host = await locked(adversary({}));
  host.write("/usr/local/sbin/unshare", "#!/bin/sh\necho unshare: Operation not permitted >&2\nexit 1\n", 0o755);

  const { result, stderr } = await host.step("rehearse");
  const required = await host.step("rehearse", { policy: { rehearse: "required" } });

  expect(result).toMatchObject({
    outcome: "succeeded",
    data: { possible: false, wayBack: "notTried", reason: expect.stringContaining("Operation not permitted") },
  });
  expect(stderr).toMatch(/no rehearsal, what to keep will be computed from lists and scripts alone: .*not permitted/);
  expect(required).toMatchObject({ exit: 4, result: { outcome: "failed", code: "cloneImpossible" } });
});
