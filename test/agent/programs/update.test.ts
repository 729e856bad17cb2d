import { readdirSync } from "node:fs";
import { afterAll, beforeAll, expect, test } from "vitest";
import { HOST_PATHS } from "../../../contract/names.ts";
import { inside } from "../../../local/hosts/inside.ts";
import { type AgentHost, type Bench, openBench } from "../bench.ts";

let bench: Bench;
let host: AgentHost;
beforeAll(async () => {
  bench = await openBench();
  host = await bench.host();
});
afterAll(() => bench.close());

const manager = (...args: string[]) => host.run("autopatch-manager.sh", ...args);
const version = async (name: string) => (await host.run("dpkg-query", "-W", "-f=${Version}", name)).stdout;
const backups = () => {
  const there = readdirSync(inside(host.root, "/var/tmp")).includes("autopatch_backups");
  return there ? readdirSync(inside(host.root, HOST_PATHS.backups)).filter((name) => name !== "latest") : [];
};

test.each([
  ["auto-update --check, as a new instance asks it", ["auto-update", "--check"]],
  ["auto-update alone", ["auto-update"]],
])("%s tells what is pending and changes nothing", async (_name, args) => {
  const answer = await manager(...args);

  expect(answer.exitCode, answer.stderr).toBe(0);
  expect(answer.stdout).toMatch(/^5 updates are pending, \d of them security updates, /);
  expect(answer.stdout).toContain("  webapp 1.0-1 -> 2.0-1");
  expect([await version("webapp"), backups()]).toEqual(["1.0-1", []]);
});

test.each([
  ["auto-update", ["auto-update", "--install", "--dry-run"]],
  ["full-update", ["full-update", "--backup", "--dry-run"]],
])("a dry run of %s goes through the same and changes nothing", async (_name, args) => {
  const answer = await manager(...args);

  expect(answer.exitCode, answer.stderr).toBe(0);
  expect(answer.stdout).toMatch(/dry run/);
  expect([await version("webapp"), backups()]).toEqual(["1.0-1", []]);
});

test("install.sh --dry-run goes through what download.sh locked and changes nothing", async () => {
  const download = await host.run("download.sh");
  const answer = await host.run("install.sh", "--backup", "--dry-run");

  expect([download.exitCode, answer.exitCode], answer.stderr).toEqual([0, 0]);
  expect(answer.stdout).toMatch(/dry run/);
  expect([await version("webapp"), backups()]).toEqual(["1.0-1", []]);
});

test("auto-update --install --backup updates as far as nothing has to go, with a backup, and commits", async () => {
  const answer = await manager("auto-update", "--install", "--backup");

  expect(answer.exitCode, answer.stderr).toBe(0);
  expect(answer.stdout).toMatch(/^commit: succeeded/m);
  expect(await version("webapp")).toBe("2.0-1");
  expect(backups()).toHaveLength(1);
  expect((await manager("auto-update", "--check")).stdout).toMatch(/^No updates are pending\.\n/);
});

test("full-update --backup does what is left, and again there is nothing to do", async () => {
  const first = await manager("full-update", "--backup");
  const second = await manager("full-update", "--backup");

  expect([first.exitCode, second.exitCode], `${first.stderr}${second.stderr}`).toEqual([0, 0]);
  expect(second.stdout).toMatch(/^No updates are pending\.\n/);
});

test.each([
  [["auto-update", "--check", "--install"], "--check only looks, --install installs: say one of them"],
  [["auto-update", "--backup"], "--backup goes with --install"],
  [["auto-update", "--instal"], "unknown option --instal. Did you mean --install?"],
  [["full-update", "--check"], "unknown option --check"],
  [["auto-updat"], "unknown command auto-updat. Did you mean auto-update?"],
])("%j is refused before anything is done", async (args, message) => {
  const answer = await manager(...args);
  expect([answer.exitCode, answer.stdout]).toEqual([2, ""]);
  expect(answer.stderr).toContain(message);
});

test("the daemon's round can be had once, and its look at the host's health alone", async () => {
  const well = await host.run(HOST_PATHS.executable, "daemon", "--health");
  const round = await host.run(HOST_PATHS.executable, "daemon", "--once");

  expect([well.exitCode, round.exitCode], `${well.stderr}${round.stderr}`).toEqual([0, 0]);
  expect(host.read("/var/lib/node_exporter/textfile_collector/autopatch.prom")).toContain("autopatch_packages_total ");
});
