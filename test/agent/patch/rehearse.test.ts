import { existsSync } from "node:fs";
import { afterAll, beforeAll, expect, test } from "vitest";
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

const REHEARSED = { policy: { rehearse: true } };

test("what a script touches without naming it is in the backup, and the rollback of the change is identical", async () => {
  const host = await locked(adversary({ postinst: HIDDEN }));
  const before = await takeFingerprint(host.sandbox);

  const backup = await host.step("backup", REHEARSED);
  const untouched = compareFingerprints(before, await takeFingerprint(host.sandbox)).differences;
  const installed = await host.step("install");
  const changed = compareFingerprints(before, await takeFingerprint(host.sandbox)).differences.length;
  const restored = await host.step("rollback");

  expect(backup.result.outcome, backup.stderr).toBe("succeeded");
  expect(backup.stderr).toMatch(/rehearsed: the change touches \d+ paths, and the way back is identical/);
  expect(untouched).toEqual([]);
  expect(installed.result.outcome, installed.stderr).toBe("succeeded");
  expect(changed).toBeGreaterThan(0);
  expect(restored.result).toMatchObject({ outcome: "succeeded", data: { identical: true } });
  expect(compareFingerprints(before, await takeFingerprint(host.sandbox)).differences).toEqual([]);
});

test("a script that fails is found in the clone: the host is untouched, and nothing of the clone is left", async () => {
  const host = await locked(adversary({ postinst: "#!/bin/sh\necho the disk is on fire >&2\nexit 3\n" }));
  const before = await takeFingerprint(host.sandbox);

  const { result } = await host.step("backup", REHEARSED);
  const left = await host.run("sh", "-c", "ls -d /var/lib/autopatch/clone-* 2>/dev/null; grep -c clone- /proc/mounts");

  expect(result).toMatchObject({
    outcome: "failed",
    code: "maintainerScriptFailed",
    message: expect.stringMatching(
      /^in the rehearsal, nothing of the host was changed: adversary: its postinst .*the disk is on fire/s,
    ),
  });
  expect(compareFingerprints(before, await takeFingerprint(host.sandbox)).differences).toEqual([]);
  expect(left.stdout).toBe("0\n");
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

  const { result } = await host.step("backup", REHEARSED);

  expect(result).toMatchObject({ outcome: "failed", code: "maintainerScriptFailed" });
  expect(host.read("/root/prize")).toBe("safe\n");
  expect(existsSync(inside(host.root, "/usr/lib/autopatch/autopatch"))).toBe(true);
  expect((await host.run("sh", "-c", "cat /proc/[0-9]*/comm")).stdout).not.toContain("sleep");
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

test("where no clone can be had the set is computed, and the agent says so", async () => {
  const host = await locked(adversary({}));
  host.write("/usr/local/sbin/unshare", "#!/bin/sh\necho unshare: Operation not permitted >&2\nexit 1\n", 0o755);

  const { result, stderr } = await host.step("backup", REHEARSED);

  expect(result.outcome).toBe("succeeded");
  expect(stderr).toMatch(
    /no rehearsal, what to keep is computed from lists and scripts alone: .*unshare: Operation not permitted/,
  );
});
