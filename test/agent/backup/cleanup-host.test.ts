import { readdirSync, readFileSync, truncateSync } from "node:fs";
import { afterAll, beforeAll, expect, test } from "vitest";
import { HOST_PATHS } from "../../../contract/names.ts";
import { inside } from "../../../local/hosts/inside.ts";
import { type AgentHost, type Bench, openBench } from "../bench.ts";

let bench: Bench;
beforeAll(async () => {
  bench = await openBench();
});
afterAll(() => bench.close());

const cleanup = (host: AgentHost, ...args: string[]) => host.run("rollback.sh", "--cleanup-backups", ...args);
const inFolder = (host: AgentHost) =>
  readdirSync(inside(host.root, HOST_PATHS.backups))
    .filter((name) => name.startsWith("backup_"))
    .sort();

/** The one backup of the host once more, as if it had been made at that time. */
async function copied(host: AgentHost, from: string, id: string): Promise<void> {
  const script = `cd ${HOST_PATHS.backups} && cp -a "$1" "$2" && cd "$2" && sed -i "s/$1/$2/g" manifest.json && sha256sum $(cut -c67- SHA256SUMS) > sums && mv sums SHA256SUMS`;
  const done = await host.run("sh", "-c", script, "sh", from, id);
  expect(done.exitCode, done.stderr).toBe(0);
}

test("old backups go; the newest that is whole, the way back of a trial and where latest points stay", {
  timeout: 120_000,
}, async () => {
  const host = await bench.host();
  for (const step of ["preflight", "download", "verify", "backup", "install"] as const)
    expect((await host.step(step)).result, step).toMatchObject({ outcome: "succeeded" });
  const [trial = ""] = inFolder(host);
  const [old, younger, whole, damaged] = ["20240101", "20240201", "20990101", "20990201"].map(
    (day) => `backup_${day}T000000Z`,
  ) as [string, string, string, string];
  for (const id of [old, younger, whole, damaged]) await copied(host, trial, id);
  truncateSync(inside(host.root, `${HOST_PATHS.backups}/${damaged}/files.tar.zst`), 10);
  await host.run("mkdir", `${HOST_PATHS.backups}/backup_20240301T000000Z.tmp`, `${HOST_PATHS.backups}/mine`);
  await host.run("ln", "-sfn", damaged, `${HOST_PATHS.backups}/latest`);
  const before = inFolder(host);

  const bad = [];
  for (const days of ["-1", "1.5", "ten", "", "100000", "0x10"]) bad.push(await cleanup(host, `--days=${days}`));
  const alone = await host.run("rollback.sh", "--list-backups", "--days=1");
  const planned = await cleanup(host, "--days=0", "--dry-run");
  const untouched = inFolder(host);
  const byAge = await cleanup(host, "--days", "90");
  const afterAge = inFolder(host);
  const all = await cleanup(host, "--days=0");
  const undone = await host.step("rollback");

  expect(bad.map(({ exitCode }) => exitCode)).toEqual([2, 2, 2, 2, 2, 2]);
  for (const { stderr } of bad) expect(stderr).toContain("a whole number of days, 0 to 99999");
  expect(alone).toMatchObject({ exitCode: 2, stderr: "rollback.sh: --days belongs to --cleanup-backups\n" });
  expect(planned.stdout).toContain(`would be removed: ${old} is `);
  expect(untouched).toEqual(before);
  expect(byAge.exitCode, byAge.stderr).toBe(0);
  expect(byAge.stdout).toContain("removed: backup_20240301T000000Z.tmp was never finished: what made it is gone");
  expect(afterAge).toEqual([trial, whole, damaged]);
  expect(all.stdout).toContain(`kept: ${trial} is the way back of run run-1 (trial)`);
  expect(all.stdout).toContain(`kept: ${whole} is the newest that is whole`);
  expect(all.stdout).toContain(`kept: ${damaged} is where latest points`);
  expect(inFolder(host)).toEqual([trial, whole, damaged]);
  // Nothing else in the folder is its business, and the way back is still one.
  expect(readdirSync(inside(host.root, HOST_PATHS.backups))).toContain("mine");
  expect(undone.result).toMatchObject({ outcome: "succeeded", data: { identical: true } });
  expect(readFileSync(inside(host.root, `${HOST_PATHS.backups}/${trial}/SHA256SUMS`), "utf8")).toContain(
    "manifest.json",
  );
});
