import { readdirSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { EXIT } from "../../../contract/failures.ts";
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

const PENDING = [
  "libreport2 2.0-1 all",
  "metricsd 2.0-1 all",
  "reportd 2.0-1 all",
  "webapp 2.0-1 all",
  "webapp-common 2.0-1 all",
];
const summaries = () =>
  readdirSync(inside(host.root, HOST_PATHS.logs)).filter((name) => name.startsWith("download_summary_"));
const status = async () => JSON.parse((await host.run("autopatch-manager.sh", "show-status", "--format=json")).stdout);

describe("the seed's commands in the order of its pipeline", () => {
  test("show-status --format=json before anything was done", async () => {
    const answer = await host.run("autopatch-manager.sh", "show-status", "--format=json");
    expect(answer).toMatchObject({ exitCode: 0, stderr: "" });
    expect(JSON.parse(answer.stdout)).toMatchObject({
      agentVersion: expect.stringMatching(/^\d+\.\d+\.\d+$/),
      host: "web-1",
      release: "Debian GNU/Linux 12 (bookworm)",
      bootId: host.sandbox.bootId,
      rebootRequired: false,
      pending: { total: 0, security: 0, packages: [], leftOut: [], problem: null },
      lastOperation: null,
      backups: { count: 0, latest: null },
      transaction: null,
      figures: { totalPackages: 101, backupCount: 0, securityViolations: 0 },
    });
  });

  test("download.sh --dry-run leaves the files the pipeline reads, and no package", async () => {
    const answer = await host.run("download.sh", "--dry-run", "--verbose");
    expect(answer.exitCode).toBe(0);
    expect(answer.stdout).toBe(
      `libreport2 (new) -> 2.0-1\nmetricsd 1.0-1 -> 2.0-1\nreportd 1.0-1 -> 2.0-1\nwebapp 1.0-1 -> 2.0-1\nwebapp-common 1.0-1 -> 2.0-1
5 packages would be locked and downloaded (dry run). See ${HOST_PATHS.packagesToInstall}.\n`,
    );
    expect(host.read(HOST_PATHS.packagesToInstall).trim().split("\n")).toEqual(PENDING);
    expect(host.read(HOST_PATHS.lock)).toMatch(/^# AutoPatch lock 1\n# release bookworm architecture amd64\n/);
    expect(readdirSync(inside(host.root, HOST_PATHS.archives))).toEqual([]);
    expect(summaries()).toHaveLength(1);
  });

  test("download.sh fetches, locks and verifies; show-status then knows of it", async () => {
    const answer = await host.run("download.sh");
    expect(answer).toMatchObject({
      exitCode: 0,
      stdout: `5 packages locked, downloaded and verified in ${HOST_PATHS.archives}.\n`,
    });
    expect(readdirSync(inside(host.root, HOST_PATHS.archives))).toHaveLength(5);
    expect(await status()).toMatchObject({
      pending: { total: 5, security: 0, critical: [] },
      lastOperation: { operation: "download.sh", outcome: "succeeded", code: null },
    });
  });

  test("show-status as text, in full", async () => {
    const { stdout } = await host.run("autopatch-manager.sh", "show-status", "--detailed");
    expect(stdout).toMatch(/^Host: +web-1, Debian GNU\/Linux 12 \(bookworm\)\n/);
    expect(stdout).toMatch(/^Pending: +5, 0 of them security updates, 0\.0 MB to download$/m);
    expect(stdout).toMatch(/^Last operation: download\.sh succeeded at 20/m);
    expect(stdout).toMatch(/^ {2}webapp 1\.0-1 -> 2\.0-1$/m);
  });

  test("a refused download is in the history, and the health check says so until somebody looks", async () => {
    expect((await host.run("autopatch-manager.sh", "show-status", "--health-check", "--quiet")).exitCode).toBe(0);
    await host.run("chmod", "0777", HOST_PATHS.work);
    const refused = await host.run("download.sh");
    await host.run("chmod", "0755", HOST_PATHS.work);
    expect(refused.exitCode).toBe(8);
    expect(refused.stderr).toMatch(
      /\/var\/tmp\/autopatch is writable by others \(mode 0777\).*\n {2}remove the named path \(pathUnsafe\)\n$/,
    );
    expect(await status()).toMatchObject({
      lastOperation: { operation: "download.sh", outcome: "failed", code: "pathUnsafe" },
      figures: { securityViolations: 1 },
    });
    const health = await host.run("autopatch-manager.sh", "show-status", "--health-check", "--quiet");
    expect(health).toMatchObject({ exitCode: 11, stdout: "", stderr: "" });
  });
});

test.each([
  [
    ["autopatch-manager.sh", "show-statu"],
    "autopatch-manager.sh: unknown command show-statu. Did you mean show-status?\n",
  ],
  [
    ["autopatch-manager.sh", "show-status", "--format=xml"],
    "autopatch-manager.sh show-status: unknown format xml. Known: json, text\n",
  ],
  [["download.sh", "--dryrun"], "download.sh: unknown option --dryrun. Did you mean --dry-run?\n"],
])("%s is refused before anything is done", async ([program = "", ...args], stderr) => {
  expect(await host.run(program, ...args)).toMatchObject({ exitCode: 2, stdout: "", stderr });
});

test("a user that is not root is told so", async () => {
  const answer = await host.run(
    "setpriv",
    "--reuid=65534",
    "--regid=65534",
    "--clear-groups",
    "/usr/local/bin/download.sh",
  );
  expect(answer).toMatchObject({
    exitCode: 4,
    stdout: "",
    stderr:
      "autopatch: the agent does not run as root: the agent runs as user 65534: run it with sudo, or through SSM\n  run it with sudo, or through SSM (notRoot)\n",
  });
});

test.each(["--install", "--enable", "--disable", "--uninstall", "--status"])(
  "manage-daemon %s where systemd does not run says what else can be done, and writes nothing",
  async (flag) => {
    const answer = await host.run("autopatch-manager.sh", "manage-daemon", flag);

    expect(answer).toMatchObject({
      exitCode: EXIT.environment,
      stdout: "",
      stderr: expect.stringContaining("systemd is not PID 1 here: schedule autopatch-maintenance.sh by other means"),
    });
    const written = (await host.run("sh", "-c", "ls /etc/systemd/system /etc/cron.d | grep '^autopatch'")).stdout;
    expect(written).toBe("");
  },
);
