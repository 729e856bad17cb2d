import { randomBytes } from "node:crypto";
import { appendFileSync, readdirSync, rmSync } from "node:fs";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Manifest } from "../../../agent/backup/manifest.ts";
import { HOST_PATHS } from "../../../contract/names.ts";
import { takeFingerprint } from "../../../local/hosts/fingerprint.ts";
import { compareFingerprints } from "../../../local/hosts/fingerprint-comparison.ts";
import { inside } from "../../../local/hosts/inside.ts";
import { type AgentHost, type Bench, openBench } from "../bench.ts";

let bench: Bench;
beforeAll(async () => {
  bench = await openBench();
});
afterAll(() => bench.close());

/** Makes a backup as a person would. @returns its id */
async function backUp(host: AgentHost): Promise<string> {
  const { exitCode, stdout, stderr } = await host.run("install.sh", "--backup", "--force");
  const id = /Backup made as asked: (backup_\w+),/.exec(stdout)?.[1];
  if (exitCode !== 0 || id === undefined) throw new Error(stderr);
  return id;
}

const folder = (id: string) => `${HOST_PATHS.backups}/${id}`;
const manifestOf = (host: AgentHost, id: string) =>
  Manifest.parse(JSON.parse(host.read(`${folder(id)}/manifest.json`)));

/** What coreutils say of a backup, file by file. */
async function sumsOf(host: AgentHost, id: string): Promise<string[]> {
  const { stdout } = await host.run("sh", "-c", `cd ${folder(id)} && sha256sum -c SHA256SUMS`);
  return stdout.trim().split("\n");
}

const letter = (name: string) => name.repeat(100_000);

test("a backup takes what has not changed from earlier ones, stands by itself, and is put back from three packs", {
  timeout: 180_000,
}, async () => {
  const host = await bench.host({ sources: [] });
  for (const name of ["a", "b", "c"]) host.write(`/etc/${name}/file`, letter(name));
  const first = await backUp(host);
  host.write("/etc/b/file", letter("B"));
  const second = await backUp(host);
  host.write("/etc/c/file", letter("C"));
  // Only its change time is new.
  await host.run("chmod", "0644", "/etc/b/file");
  const third = await backUp(host);
  const unchanged = await backUp(host);
  const before = await takeFingerprint(host.sandbox);

  const entries = new Map(manifestOf(host, third).entries.map((entry) => [entry.path, entry]));
  const packOf = (path: string) => manifestOf(host, third).packs[entries.get(path)?.pack ?? -1]?.madeFor;
  expect(["/etc/a/file", "/etc/b/file", "/etc/c/file"].map(packOf)).toEqual([first, second, third]);
  expect(await sumsOf(host, third)).toEqual([
    "manifest.json: OK",
    "files.tar.zst: OK",
    ...manifestOf(host, third)
      .packs.slice(1)
      .map(({ file }) => `${file}: OK`),
    "before.scan.zst: OK",
  ]);
  expect(manifestOf(host, third).packs).toHaveLength(3);
  expect(await sumsOf(host, second)).toHaveLength(4);
  // Nothing that was there already was packed again.
  const own = (id: string) => manifestOf(host, id).packs.find((pack) => pack.madeFor === id)?.bytes ?? 0;
  expect(own(second)).toBeLessThan(own(first) / 10);
  expect(own(unchanged)).toBeLessThan(20_000);

  rmSync(inside(host.root, folder(first)), { recursive: true });
  rmSync(inside(host.root, folder(second)), { recursive: true });
  expect((await sumsOf(host, third)).every((line) => line.endsWith(": OK"))).toBe(true);
  expect((await host.run("rollback.sh", "--validate-backup", third)).exitCode).toBe(0);
  await host.run("rm", "-r", "/etc/a", "/etc/b", "/etc/c");
  const restored = await host.run("rollback.sh", "--restore-system", third);

  expect(restored.stdout, restored.stderr).toContain("the host is identical to what it was");
  expect(compareFingerprints(before, await takeFingerprint(host.sandbox)).differences).toEqual([]);
});

test("a large file of which only the change time is new is not stored a second time; one with other content is", async () => {
  const host = await bench.host({ sources: [] });
  // More than a backup holds in memory, and nothing that compresses.
  host.write("/etc/large/file", randomBytes(40 << 20));
  await backUp(host);
  await host.run("chmod", "0644", "/etc/large/file");
  const touched = await backUp(host);
  await host.run(
    "sh",
    "-c",
    "cp -p /etc/large/file /root/stamp && printf x | dd of=/etc/large/file conv=notrunc && touch -r /root/stamp /etc/large/file",
  );
  const changed = await backUp(host);

  const own = (id: string) => manifestOf(host, id).packs.find((pack) => pack.madeFor === id)?.bytes ?? 0;
  expect([own(touched) < 1 << 20, own(changed) > 40 << 20]).toEqual([true, true]);
  for (const id of [touched, changed])
    expect((await host.run("rollback.sh", "--validate-backup", id)).exitCode).toBe(0);
});

test("of an earlier backup with one wrong byte nothing is taken", async () => {
  const host = await bench.host({ sources: [] });
  const first = await backUp(host);
  appendFileSync(inside(host.root, `${folder(first)}/files.tar.zst`), "x");

  const { stderr } = await host.run("install.sh", "--backup", "--force");
  const [, second = ""] = readdirSync(inside(host.root, HOST_PATHS.backups)).filter((name) => name !== "latest");

  expect(stderr).toContain(`nothing is taken from ${first}, everything is packed anew`);
  expect(manifestOf(host, second).packs.map((pack) => pack.madeFor)).toEqual([second]);
  expect((await host.run("rollback.sh", "--validate-backup", "latest")).exitCode).toBe(0);
});
