import { afterAll, beforeAll, expect, test } from "vitest";
import { exec } from "../../../agent/host/exec.ts";
import { takeFingerprint } from "../../../local/hosts/fingerprint.ts";
import { compareFingerprints } from "../../../local/hosts/fingerprint-comparison.ts";
import { inside } from "../../../local/hosts/inside.ts";
import { type Bench, openBench } from "../bench.ts";
import { notAsBefore } from "../identical.ts";
import { adversary, lockUpgrade } from "./adversary.ts";

let bench: Bench;
beforeAll(async () => {
  bench = await openBench();
});
afterAll(() => bench.close());

const FAILS = "#!/bin/sh\necho format=2 > /var/lib/adversary/state\necho the disk is on fire >&2\nexit 3\n";
/** Fails on the way to 2.0 alone, so that the test can put 1.0 on. */
const FAILS_ON_UPGRADE = `#!/bin/sh\n[ "$1" = upgrade ] || exit 0\n${FAILS.slice(10)}`;

const SCRIPTS = [
  { script: "preinst", pair: adversary({ preinst: FAILS }) },
  { script: "postinst", pair: adversary({ postinst: FAILS }) },
  { script: "prerm", pair: adversary({ prerm: FAILS }, "adversary", { prerm: FAILS_ON_UPGRADE }) },
  { script: "postrm", pair: adversary({ postrm: FAILS }, "adversary", { postrm: FAILS_ON_UPGRADE }) },
];

test.each(SCRIPTS)(
  "a failing $script: package and script are named, the exact previous state is back",
  async (failing) => {
    const host = await bench.host({ sources: [] });
    await lockUpgrade(host, [failing.pair]);
    const before = await takeFingerprint(host.sandbox);

    await host.step("backup");
    const { result } = await host.step("install");

    expect(result).toMatchObject({
      outcome: "failed",
      code: "maintainerScriptFailed",
      rolledBack: true,
      message: expect.stringMatching(/^adversary: its \w+ .*the disk is on fire/s),
    });
    expect(notAsBefore(before, await takeFingerprint(host.sandbox))).toEqual([]);
  },
);

test("a script that does everything a script can: users, diversions, alternatives, links for folders, new state", async () => {
  const postinst = `#!/bin/sh
set -e
useradd --system adversary
dpkg-divert --package adversary --add --rename --divert /usr/bin/who.distrib /usr/bin/who
printf '#!/bin/sh\\n' > /usr/bin/who
update-alternatives --install /usr/bin/adversary adversary /usr/lib/adversary/program 10
mkdir -p /opt/adversary/new /var/lib/adversary-queue
echo queued > /var/lib/adversary-queue/1
rm -rf /etc/adversary.d && ln -s /opt/adversary /etc/adversary.d
mv /usr/lib/adversary/program /usr/lib/adversary/renamed && mkdir /usr/lib/adversary/program
echo deeper > /usr/lib/adversary/program/file
chmod 0700 /usr/lib/adversary /etc/alternatives
chown 33:33 /var/lib/adversary/state
touch "/etc/name with spaces, ümlaut and
line break"
exit 1
`;
  const host = await bench.host({ sources: [] });
  await lockUpgrade(host, [adversary({ postinst })]);
  host.write("/etc/adversary.d/local.conf", "local\n");
  const program = inside(host.root, "/usr/lib/adversary/program");
  await exec("setcap", ["cap_net_raw+ep", program], { deadlineMs: 5_000 });
  const capability = () => exec("getcap", [program], { deadlineMs: 5_000 });
  const [before, capable] = [await takeFingerprint(host.sandbox), await capability()];

  const { result: backup } = await host.step("backup");
  const { result } = await host.step("install");

  expect(capable.stdout).toContain("cap_net_raw=ep");
  expect(backup.outcome).toBe("succeeded");
  expect(result, JSON.stringify(result)).toMatchObject({
    outcome: "failed",
    code: "maintainerScriptFailed",
    rolledBack: true,
  });
  expect(compareFingerprints(before, await takeFingerprint(host.sandbox)).differences).toEqual([]);
  expect((await capability()).stdout).toBe(capable.stdout);
  expect((await host.run("ls", "/opt")).stdout).toBe("");
});

test("a file of another package, changed by a script that does not name it: never called identical, and named", async () => {
  const postinst = "#!/bin/sh\ndir=/usr/bin\nprintf '#!/bin/sh\\n' > $dir/who\nexit 1\n";
  const host = await bench.host({ sources: [] });
  await lockUpgrade(host, [adversary({ postinst })]);

  await host.step("backup");
  const { result } = await host.step("install");
  const again = await host.step("rollback");

  expect(result).toMatchObject({ outcome: "failed", code: "maintainerScriptFailed", rolledBack: false });
  expect("message" in result && result.message).toContain(
    "ROLLED BACK INCOMPLETELY: 1 differences: /usr/bin/who: content",
  );
  expect(again.exit).toBe(12);
  expect(again.result).toMatchObject({ outcome: "failed", code: "rollbackIncomplete" });
});

test("a removal that is locked is done, and undone", async () => {
  const host = await bench.host({ sources: [] });
  const { old, next } = adversary({});
  const conflicting = { old, next: { ...next, fields: { Conflicts: "bystander" } } };
  const bystander = adversary({}, "bystander");
  await lockUpgrade(host, [conflicting, bystander]);
  const removals = [{ name: "bystander", architecture: "all", version: "1.0-1" }];
  await lockUpgrade(host, [conflicting], removals);
  await host.run("rm", "/var/tmp/autopatch/archives/bystander_2.0-1_all.deb");
  const before = await takeFingerprint(host.sandbox);

  await host.step("backup");
  const { result: installed } = await host.step("install");
  const after = await host.run(
    "dpkg-query",
    "-W",
    "-f=${Package} ${Version} ${db:Status-Abbrev};",
    "adversary",
    "bystander",
  );
  const { result } = await host.step("rollback");

  expect(installed).toMatchObject({ outcome: "succeeded", data: { packages: 1, removals: 1 } });
  expect(after.stdout).toBe("adversary 2.0-1 ii ;bystander 1.0-1 rc ;");
  expect(result).toMatchObject({ outcome: "succeeded", data: { identical: true } });
  expect(compareFingerprints(before, await takeFingerprint(host.sandbox)).differences).toEqual([]);
});
