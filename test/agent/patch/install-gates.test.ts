import { truncateSync } from "node:fs";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { HOST_PATHS } from "../../../contract/names.ts";
import { inside } from "../../../local/hosts/inside.ts";
import { type AgentHost, type Bench, openBench } from "../bench.ts";
import { adversary, lockUpgrade } from "./adversary.ts";

let bench: Bench;
let host: AgentHost;
beforeAll(async () => {
  bench = await openBench();
});
beforeEach(async () => {
  host = await bench.host();
  await lockUpgrade(host, [adversary({}), adversary({}, "bystander")]);
});
afterAll(() => bench.close());

const DEB = `${HOST_PATHS.archives}/adversary_2.0-1_all.deb`;

async function versions(): Promise<string> {
  const query = await host.run("dpkg-query", "-W", "-f=${Package} ${Version};", "adversary", "bystander");
  return query.stdout;
}

async function backedUp(): Promise<string> {
  const { result } = await host.step("backup");
  if (result.outcome !== "succeeded") throw new Error(JSON.stringify(result));
  return `${HOST_PATHS.backups}/${result.data.backupId}`;
}

async function refused(code: string, message: RegExp): Promise<void> {
  const { result } = await host.step("install");
  expect(result).toMatchObject({ outcome: "failed", code, rolledBack: false, message: expect.stringMatching(message) });
  expect(await versions()).toBe("adversary 1.0-1;bystander 1.0-1;");
}

test("without a backup of this run nothing is installed", async () => {
  await refused("backupMissing", /^there is no backup of run run-1/);
});

test("a backup that was cut short is found before anything is installed", async () => {
  const folder = await backedUp();
  truncateSync(inside(host.root, `${folder}/files.tar.zst`), 1_000);

  await refused("backupInvalid", /files\.tar\.zst has SHA-256/);
});

test("a .deb that was changed after verification, size kept, never reaches dpkg", async () => {
  await backedUp();
  const bytes = Buffer.from(host.read(DEB), "latin1");
  host.write(DEB, Buffer.alloc(bytes.length > 0 ? await size(DEB) : 0, 0x61));

  await refused("hashMismatch", /adversary 2\.0-1: .* has SHA-256/);
  expect(host.read(`${HOST_PATHS.logs}/autopatch-manager.log`)).toContain("SÉCURITÉ COMPROMISE: hashMismatch");
});

async function size(path: string): Promise<number> {
  return Number((await host.run("stat", "-c", "%s", path)).stdout);
}

test("apt wanting anything but the lock stops it: a package held since", async () => {
  await host.run("apt-mark", "hold", "bystander");
  await backedUp();

  await refused("outsideLock", /would not install bystander:all 2\.0-1, which is locked/);
});

test("packages changed between backup and install make the backup worthless", async () => {
  await backedUp();
  await host.run("apt-mark", "hold", "base-files");

  await refused("backupInvalid", /packages were changed since it was made/);
});

test("no room for the backup: said with numbers, nothing half-made, nothing installed", async () => {
  await host.run("mkdir", "-m", "700", HOST_PATHS.backups);
  await host.run("mount", "-t", "tmpfs", "-o", "size=1m,mode=0700", "tmpfs", HOST_PATHS.backups);

  const { result } = await host.step("backup");
  const left = await host.run("ls", "-A", HOST_PATHS.backups);

  expect(result).toMatchObject({
    outcome: "failed",
    code: "diskTooFull",
    message: expect.stringMatching(/needs \d+ bytes, \d+ are free: free \d+ more/),
  });
  expect(left.stdout).toBe("");
  await refused("backupMissing", /no backup of run/);
});

test("the disk fills up while the backup is written: nothing half-made is left, nothing installed", async () => {
  await host.run("mkdir", "-m", "700", HOST_PATHS.backups);
  // Room enough in bytes, and too few inodes for a backup's files.
  await host.run("mount", "-t", "tmpfs", "-o", "size=2g,mode=0700,nr_inodes=4", "tmpfs", HOST_PATHS.backups);

  const { exit, result } = await host.step("backup");
  const left = await host.run("ls", "-A", HOST_PATHS.backups);

  expect(exit).toBe(9);
  expect(result).toMatchObject({ code: "backupFailed", message: expect.stringMatching(/no space left on device/i) });
  expect(left.stdout).toBe("");
  await refused("backupMissing", /no backup of run/);
});

test("a backup folder that somebody else made first is not used", async () => {
  await host.run("ln", "-s", "/tmp", HOST_PATHS.backups);

  const { exit, result } = await host.step("backup");

  expect(exit).toBe(8);
  expect(result).toMatchObject({
    outcome: "failed",
    code: "pathUnsafe",
    message: expect.stringContaining("is a link"),
  });
});
