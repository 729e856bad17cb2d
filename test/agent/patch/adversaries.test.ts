import { afterAll, beforeAll, expect, test } from "vitest";
import { exec } from "../../../agent/host/exec.ts";
import { takeFingerprint } from "../../../local/hosts/fingerprint.ts";
import { inside } from "../../../local/hosts/inside.ts";
import type { SamplePackage } from "../../../local/hosts/sample/package.ts";
import { type AgentHost, type Bench, openBench } from "../bench.ts";
import { notAsBefore } from "../identical.ts";
import { adversary, lockUpgrade, type Pair } from "./adversary.ts";

let bench: Bench;
beforeAll(async () => {
  bench = await openBench();
});
afterAll(() => bench.close());

const script = (text: string) => `#!/bin/sh\nset -e\n${text}\n`;
const library = (name: string): SamplePackage => ({
  name,
  version: "1.0-1",
  summary: "dependency of a test",
  files: [{ path: `/usr/lib/${name}/data`, content: `${name}\n` }],
});
const depends = ({ old, next }: Pair, on: { old?: string; next?: string }): Pair => ({
  old: on.old === undefined ? old : { ...old, fields: { Depends: on.old } },
  next: on.next === undefined ? next : { ...next, fields: { Depends: on.next } },
});

/** Each does one thing that going back by the previous .deb does not undo, or refuses. */
const WILY: readonly Pair[] = [
  adversary(
    { preinst: script('case "$1 $2" in "upgrade 2."*|"upgrade 3."*) echo no way back >&2; exit 1;; esac') },
    "refuses-downgrade",
    { prerm: script('[ "$1" != failed-upgrade ] || exit 1') },
  ),
  adversary(
    {
      postinst: script(
        "cd /var/lib/migrates-state; sed s/1/2/ state > state.v2; rm state; mkdir journal; echo 1 > journal/0; chmod 0700 .",
      ),
    },
    "migrates-state",
  ),
  adversary(
    { postinst: script("useradd --system --home-dir /var/lib/creates-user --create-home creates-user") },
    "creates-user",
  ),
  adversary(
    {
      postinst: script(
        "dpkg-divert --package diverts --add --rename --divert /usr/bin/who.distrib /usr/bin/who; cp -p /usr/bin/who.distrib /usr/bin/who",
      ),
    },
    "diverts",
  ),
  adversary(
    {
      postinst: script(
        "for n in 1 2; do update-alternatives --install /usr/bin/chooses chooses /usr/lib/chooses/program $n; done",
      ),
    },
    "chooses",
  ),
  adversary(
    {
      postinst: script(
        "setcap cap_net_raw+ep /usr/lib/capable/program || true; ln /usr/lib/capable/program /usr/lib/capable/again",
      ),
    },
    "capable",
  ),
  (() => {
    const { old, next } = adversary({}, "new-conffile");
    const path = "/etc/new-conffile.d/main.conf";
    const files = [...next.files.filter((file) => !file.path.endsWith(".conf")), { path, content: "new=1\n" }];
    return { old, next: { ...next, files, conffiles: [path] } };
  })(),
  depends(adversary({}, "sheds"), { old: "shed-library" }),
  depends(adversary({}, "takes-on"), { next: "new-library" }),
];

/** A host with all of them at 1.0, a held package and one that is marked automatic, before an upgrade of all. */
async function wilyHost(last: Pair): Promise<AgentHost> {
  const host = await bench.host({ sources: [] });
  const shed = library("shed-library");
  await lockUpgrade(host, [{ old: shed, next: { ...shed, version: "2.0-1" } }]);
  await host.run("rm", "-r", "/var/tmp/autopatch/archives");
  await lockUpgrade(host, [...WILY, last], [], [library("new-library")]);
  await host.run("apt-mark", "auto", "shed-library", "chooses");
  await host.run("apt-mark", "hold", "base-files");
  const program = inside(host.root, "/usr/lib/refuses-downgrade/program");
  await exec("setcap", ["cap_net_bind_service+ep", program], { deadlineMs: 5_000 });
  return host;
}

test("nine packages that do not go back by their old .deb, upgraded and committed: the rollback is identical from outside", {
  timeout: 240_000,
}, async () => {
  const host = await wilyHost(adversary({}));
  const before = await takeFingerprint(host.sandbox);

  for (const step of ["backup", "install", "validate", "commit"] as const)
    expect((await host.step(step)).result, step).toMatchObject({ outcome: "succeeded" });
  const after = await takeFingerprint(host.sandbox);
  const { result } = await host.step("rollback");

  expect(after.packages["dpkg -l"].filter((line) => / 2\.0-1 /.test(line))).toHaveLength(10);
  expect(after.files["/etc/passwd"]?.content).not.toBe(before.files["/etc/passwd"]?.content);
  expect(after.files["/usr/bin/who.distrib"]?.type).toBe("file");
  expect(after.files["/etc/alternatives/chooses"]?.type).toBe("link");
  expect(after.files["/usr/lib/capable/program"]?.sameAs).toBe("/usr/lib/capable/again");
  expect(after.files["/usr/lib/new-library/data"]?.type).toBe("file");
  expect(after.packages["apt-mark showauto"]).toContain("new-library");
  expect(before.files["/usr/lib/refuses-downgrade/program"]?.xattrs).toContain("security.capability=");
  expect(result).toMatchObject({ outcome: "succeeded", data: { identical: true, differences: 0 } });
  expect(notAsBefore(before, await takeFingerprint(host.sandbox))).toEqual([]);
});

test("the same nine, and a tenth whose postinst fails when they are done: identical from outside before the step answers", {
  timeout: 240_000,
}, async () => {
  const host = await wilyHost(adversary({ postinst: script("echo the disk is on fire >&2; exit 3") }, "zz-fails-last"));
  const before = await takeFingerprint(host.sandbox);

  await host.step("backup");
  const { result } = await host.step("install");

  expect(result).toMatchObject({ outcome: "failed", code: "maintainerScriptFailed", rolledBack: true });
  expect(notAsBefore(before, await takeFingerprint(host.sandbox))).toEqual([]);
});
