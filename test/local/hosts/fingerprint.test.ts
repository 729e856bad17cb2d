import { lutimesSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { exec } from "../../../agent/host/exec.ts";
import { openBase } from "../../../local/hosts/base.ts";
import { COMPARED, type Fingerprint, LEFT_OUT } from "../../../local/hosts/fingerprint.ts";
import { compareFingerprints } from "../../../local/hosts/fingerprint-comparison.ts";
import { walk } from "../../../local/hosts/fingerprint-walk.ts";
import { type Host, type Hosts, openHosts } from "../../../local/hosts/host.ts";

let hosts: Hosts;
let host: Host;
let before: Fingerprint;
let created = 0;

beforeAll(async () => {
  hosts = await openHosts({ base: await openBase({ variant: "minimal" }), count: 1 });
});

beforeEach(async () => {
  created += 1;
  host = await hosts.create({ id: `i-${created}`, name: "web", sources: [], edited: { "/etc/app.conf": "port=80\n" } });
  before = await host.fingerprint();
});

afterAll(() => hosts.closeAll());

async function differencesAfter(script: string): Promise<readonly unknown[]> {
  const result = await host.exec("sh", ["-ec", script], { deadlineMs: 30_000 });
  expect(result).toMatchObject({ exitCode: 0 });
  const { identical, differences } = compareFingerprints(before, await host.fingerprint());
  expect(identical).toBe(differences.length === 0);
  return differences;
}

const absent = undefined;

test("taken twice it is identical, and covers every path and package", async () => {
  const after = await host.fingerprint();
  const count = await host.exec(
    "sh",
    ["-c", "find /etc /usr /var/lib -path /var/lib/apt/lists -prune -o -print | wc -l"],
    {
      deadlineMs: 30_000,
    },
  );

  expect(after).toEqual(before);
  expect(Object.keys(after.files)).toHaveLength(Number(count.stdout));
  expect(after.packages["dpkg -l"].filter((line) => line.startsWith("ii  dpkg "))).toHaveLength(1);
  const lines = Object.values(after.packages).flatMap((list) => [...new Set(list)]).length;
  expect(compareFingerprints(before, after)).toEqual({
    identical: true,
    differences: [],
    compared: Number(count.stdout) + lines,
    otherTimes: [],
  });
});

test.each([
  ["content", "echo port=81 > /etc/app.conf", { path: "/etc/app.conf", what: "content" }],
  ["mode", "chmod 4755 /etc/app.conf", { path: "/etc/app.conf", what: "mode", before: "644", after: "4755" }],
  ["owner", "chown 1:2 /etc/app.conf", { path: "/etc/app.conf", what: "owner", before: "0:0", after: "1:2" }],
  [
    "link target",
    "ln -sfn /etc/passwd /etc/os-release",
    { path: "/etc/os-release", what: "target", before: "../usr/lib/os-release", after: "/etc/passwd" },
  ],
  ["removed file", "rm /etc/app.conf", { path: "/etc/app.conf", what: "removed", before: "file", after: absent }],
  ["new folder", "mkdir /usr/lib/new", { path: "/usr/lib/new", what: "added", before: absent, after: "folder" }],
  ["new fifo", "mkfifo /var/lib/pipe", { path: "/var/lib/pipe", what: "added", before: absent, after: "fifo" }],
])("it tells a difference in %s, and nothing else", async (_, script, difference) => {
  expect(await differencesAfter(script)).toEqual([expect.objectContaining(difference)]);
});

test("a file that got a second name, a copy made one with it, and a capability are differences too", async () => {
  await host.exec("sh", ["-c", "cp -p /etc/app.conf /etc/b.conf"], { deadlineMs: 5_000 });
  before = await host.fingerprint();
  await exec("setcap", ["cap_net_raw+ep", join(host.sandbox.root, "etc/app.conf")], { deadlineMs: 5_000 });

  expect(await differencesAfter("ln -f /etc/app.conf /etc/b.conf")).toEqual([
    expect.objectContaining({ path: "/etc/app.conf", what: "xattrs", before: absent }),
    { path: "/etc/b.conf", what: "sameAs", before: absent, after: "/etc/app.conf" },
    expect.objectContaining({ path: "/etc/b.conf", what: "xattrs", before: absent }),
  ]);
});

test("a file that became a folder differs in type, content and mode", async () => {
  expect(await differencesAfter("rm /etc/app.conf; mkdir -m 755 /etc/app.conf")).toEqual([
    { path: "/etc/app.conf", what: "type", before: "file", after: "folder" },
    { path: "/etc/app.conf", what: "content", before: expect.stringMatching(/^[0-9a-f]{64}$/), after: absent },
    { path: "/etc/app.conf", what: "mode", before: "644", after: "755" },
  ]);
});

test("a package mark and a hold are differences of their own, beside the files that keep them", async () => {
  const differences = await differencesAfter("apt-mark -q auto tzdata; echo 'tzdata hold' | dpkg --set-selections");

  expect(differences.filter((one) => (one as { what: string }).what === "packages")).toEqual([
    expect.objectContaining({ path: "dpkg -l", before: expect.stringMatching(/^ii {2}tzdata /) }),
    expect.objectContaining({ path: "dpkg -l", after: expect.stringMatching(/^hi {2}tzdata /) }),
    { path: "apt-mark showauto", what: "packages", before: absent, after: "tzdata" },
    { path: "apt-mark showmanual", what: "packages", before: "tzdata", after: absent },
    { path: "apt-mark showhold", what: "packages", before: absent, after: "tzdata" },
  ]);
  expect(differences).toContainEqual(expect.objectContaining({ path: "/var/lib/dpkg/status", what: "content" }));
});

test("another time alone is no difference, but is told", async () => {
  lutimesSync(join(host.sandbox.root, "etc/app.conf"), 1000, 1000);

  const comparison = compareFingerprints(before, await host.fingerprint());

  expect(comparison).toMatchObject({ identical: true, differences: [], otherTimes: ["/etc/app.conf"] });
});

test("what is left out is left out, with a reason, and what lies beside it is not", async () => {
  const differences = await differencesAfter(
    "mkdir -p /var/lib/autopatch /var/lib/apt/lists/x; touch /var/lib/autopatch/journal; touch /var/lib/autopatch-not; touch /tmp/x /root/x",
  );

  expect(Object.keys(LEFT_OUT)).toEqual(["/var/lib/apt/lists", "/var/lib/amazon", "/var/lib/autopatch"]);
  expect(Object.values(LEFT_OUT).every((reason) => reason.length > 10)).toBe(true);
  expect(COMPARED).toEqual(["/etc", "/usr", "/var/lib"]);
  expect(differences).toEqual([expect.objectContaining({ path: "/var/lib/autopatch-not", what: "added" })]);
});

test("a link with an absolute target is read, never followed out of the tree", async () => {
  const outside = mkdtempSync("/var/tmp/outside-");
  mkdirSync(join(outside, "lib"));
  const differences = await differencesAfter(`ln -s ${outside} /etc/away`);
  await host.exec("sh", ["-c", `mv /var /real; ln -s ${outside} /var`], { deadlineMs: 5_000 });
  const walked = walk(host.sandbox.root, ["/var/lib"], []);
  rmSync(outside, { recursive: true });

  expect(differences).toEqual([{ path: "/etc/away", what: "added", before: absent, after: "link" }]);
  expect(walked).toEqual({});
});
