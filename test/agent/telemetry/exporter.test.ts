import { type ChildProcess, spawn } from "node:child_process";
import { copyFileSync, mkdtempSync, rmSync, statSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { exec } from "../../../agent/host/exec.ts";
import { METRICS } from "../../../contract/names.ts";
import { openImds } from "../../../local/endpoints/imds/imds.ts";
import { defaultCacheFolder } from "../../../local/hosts/base.ts";
import { unpackPrograms } from "../../../local/hosts/debian-programs.ts";
import { inside } from "../../../local/hosts/inside.ts";
import { clientOptions } from "../../local/endpoints/clients.ts";
import { ACCOUNT, OPERATOR, REGION, runEndpoint } from "../../local/endpoints/running.ts";
import { type AgentHost, type Bench, openBench } from "../bench.ts";

const FILE = "/var/lib/node_exporter/textfile_collector/autopatch.prom";
const EXPORTER = "autopatch-prometheus-exporter.sh";

let bench: Bench;
let host: AgentHost;
let programs: string;
beforeAll(async () => {
  bench = await openBench();
  host = await bench.host();
  await host.run("download.sh");
  await host.run("install.sh", "--backup");
  const tools = join(defaultCacheFolder(), "tools");
  programs = await unpackPrograms(exec, tools, ["prometheus", "prometheus-node-exporter"]);
});
afterAll(() => bench.close());

const names = (text: string) => [...new Set(text.match(/^autopatch_\w+(?=[ {])/gm))];
const status = async () => JSON.parse((await host.run("autopatch-manager.sh", "show-status", "--format=json")).stdout);

describe("the exporter", () => {
  test("writes what it prints, whole, readable by all, into a folder it makes", async () => {
    const written = await host.run(EXPORTER);
    const printed = await host.run(EXPORTER, "--stdout");
    expect([written, printed]).toMatchObject([
      { exitCode: 0, stdout: "", stderr: "" },
      { exitCode: 0, stderr: "" },
    ]);
    expect(host.read(FILE)).toBe(printed.stdout);
    expect(statSync(inside(host.root, FILE)).mode & 0o777).toBe(0o644);
    expect(printed.stdout).toMatch(/^autopatch_packages_total 102$/m);
    expect(printed.stdout).toMatch(/^autopatch_backups_total 1$/m);
    expect(printed.stdout).toMatch(/^autopatch_last_backup_valid 1$/m);
    expect(printed.stdout).toMatch(/^autopatch_pending_updates 0$/m);
    expect(printed.stdout).toMatch(/^autopatch_step_duration_seconds\{step="install"\} \d/m);
    const updated = Number(/^autopatch_last_update_timestamp (\d+)$/m.exec(printed.stdout)?.[1]);
    expect(Math.abs(updated - Date.parse((await status()).lastUpdate) / 1000)).toBeLessThan(2);
    const du = await host.run("sh", "-c", "du -sbc /var/tmp/autopatch* | tail -1 | cut -f1");
    expect(printed.stdout).toContain(`\nautopatch_disk_usage_bytes ${du.stdout.trim()}\n`);
  });

  test("promtool reads it; its only complaint is of two names that are the seed's", async () => {
    const promtool = join(programs, "usr/bin/promtool");
    const answer = await exec(promtool, ["check", "metrics"], { deadlineMs: 30_000, input: host.read(FILE) });
    expect(answer.stderr.trim().split("\n").sort()).toEqual([
      'autopatch_backups_total non-counter metrics should not have "_total" suffix',
      'autopatch_packages_total non-counter metrics should not have "_total" suffix',
    ]);
  });

  test("a real node_exporter serves every metric of it", async () => {
    const scraped = await scrape(host.read(FILE));
    expect(scraped).toMatch(/^node_textfile_scrape_error 0$/m);
    // node_exporter writes large numbers in another notation.
    const values = (text: string) =>
      [...text.matchAll(/^(autopatch_\S+) (\S+)$/gm)].map(([, name, value]) => `${name} ${Number(value)}`).sort();
    expect(values(scraped)).toEqual(values(host.read(FILE)));
    expect(names(scraped).length).toBe(14);
    expect(scraped).toMatch(/^# TYPE autopatch_security_violations_total counter$/m);
  });

  test("a folder that everybody may write to is refused, and nothing is written", async () => {
    await host.run("sh", "-c", "mkdir /srv/open && chmod 0777 /srv/open");
    const config = host.read("/etc/autopatch/autopatch.conf");
    host.write("/etc/autopatch/autopatch.conf", `${config}AUTOPATCH_PROMETHEUS_FILE=/srv/open/autopatch.prom\n`);
    const answer = await host.run(EXPORTER);
    host.write("/etc/autopatch/autopatch.conf", config);
    expect(answer.exitCode).toBe(8);
    expect(answer.stderr).toContain("/srv/open is no folder, a link, or writable by everybody");
    expect((await host.run("ls", "/srv/open")).stdout).toBe("");
  });
});

test("show-status and the exporter ask apt only when something it goes by has changed", async () => {
  const { pending } = await status();
  await host.run(
    "sh",
    "-c",
    "mv /usr/bin/apt-get /usr/bin/apt-get.real; printf '#!/bin/sh\\necho no >&2; exit 1\\n' > /usr/bin/apt-get; chmod 755 /usr/bin/apt-get",
  );
  expect((await status()).pending).toEqual(pending);
  await host.run("touch", "/etc/apt/preferences.d/new");
  expect((await status()).pending).toMatchObject({ plannedAt: null, problem: expect.stringContaining("no") });
  expect((await host.run(EXPORTER, "--stdout")).stdout).not.toContain("autopatch_pending");
  const health = await host.run("autopatch-manager.sh", "show-status", "--health-check", "--quiet");
  expect(health).toMatchObject({ exitCode: 0, stdout: "", stderr: "" });
  await host.run("mv", "/usr/bin/apt-get.real", "/usr/bin/apt-get");
  expect((await status()).pending).toMatchObject({ total: 0, problem: null });
});

test("show-status --detailed has the history; a backup that was cut makes the host unhealthy", async () => {
  const text = (await host.run("autopatch-manager.sh", "show-status", "--detailed")).stdout;
  expect(text).toMatch(/^Last update: +20\d\d-/m);
  expect(text).toMatch(/^Change: +committed since 20.*, run manual-/m);
  expect(text).toMatch(/^Backups: +1, latest backup_\w+, made 20.*, valid$/m);
  expect(text).toMatch(/^History, newest first:\n {2}install\.sh succeeded at /m);
  await host.run(
    "sh",
    "-c",
    'for archive in /var/tmp/autopatch_backups/backup_*/files.tar.zst; do printf x >> "$archive"; done',
  );
  const health = await host.run("autopatch-manager.sh", "show-status", "--health-check");
  expect(health.exitCode).toBe(11);
  expect(health.stderr).toMatch(/^autopatch: the newest backup cannot be used: .*files\.tar\.zst has SHA-256/);
  expect((await host.run(EXPORTER, "--stdout")).stdout).toContain("\nautopatch_last_backup_valid 0\n");
});

describe("publish-metrics", () => {
  const publish = () => host.run("autopatch-manager.sh", "publish-metrics");
  const configure = (lines: string) => host.write("/etc/autopatch/autopatch.conf", lines);

  test("is off unless configured", async () => {
    expect(await publish()).toMatchObject({ exitCode: 0, stdout: "Nothing published: AUTOPATCH_CLOUDWATCH is off.\n" });
  });

  test("puts the seed's four metrics and what its alerts ask with the role's credentials, by instance or by fleet", async () => {
    const running = await runEndpoint();
    const imds = await openImds({
      instanceId: host.id,
      account: ACCOUNT,
      region: REGION,
      role: "autopatch-host",
      credentials: OPERATOR,
    });
    try {
      const common = `AWS_ENDPOINT_URL=${running.url}\nAWS_EC2_METADATA_SERVICE_ENDPOINT=${imds.url}\n`;
      configure(`${common}AUTOPATCH_CLOUDWATCH=instance\n`);
      const answer = await publish();
      expect(answer).toMatchObject({ exitCode: 0, stderr: "" });
      expect(answer.stdout).toMatch(
        new RegExp(`^Published for InstanceId ${host.id}: TotalPackages 102, BackupCount 1, `),
      );
      configure(`${common}AUTOPATCH_CLOUDWATCH=fleet\nAUTOPATCH_FLEET=web\n`);
      expect((await publish()).exitCode).toBe(0);
      const { CloudWatchClient, ListMetricsCommand } = await import("@aws-sdk/client-cloudwatch");
      const client = new CloudWatchClient(clientOptions(running));
      const listed = await client.send(new ListMetricsCommand({}));
      const dimensions = [
        { Name: METRICS.instanceDimension, Value: host.id },
        { Name: METRICS.fleetDimension, Value: "web" },
      ];
      expect(listed.Metrics).toEqual(
        dimensions.flatMap((dimension) =>
          [
            ["AutoPatch/Operations", "TotalPackages"],
            ["AutoPatch/Operations", "BackupCount"],
            ["AutoPatch/Operations", "DiskUsagePercent"],
            ["AutoPatch/Operations", "DaemonStatus"],
            ["AutoPatch/Operations", "LastUpdateAgeSeconds"],
            ["AutoPatch/Operations", "DiskUsageBytes"],
            ["AutoPatch/Operations/Security", "SecurityViolations"],
          ].map(([Namespace, MetricName]) => ({ Namespace, MetricName, Dimensions: [dimension] })),
        ),
      );
    } finally {
      await imds.close();
      await running.stop();
    }
  });

  test("a fleet without a name, and a CloudWatch that does not answer, are told", async () => {
    const nowhere = "AWS_ENDPOINT_URL=http://127.0.0.1:9/\nAWS_EC2_METADATA_SERVICE_ENDPOINT=http://127.0.0.1:9/\n";
    configure(`${nowhere}AUTOPATCH_CLOUDWATCH=instance\n`);
    const lost = await publish();
    expect(lost.exitCode).toBe(13);
    expect(lost.stderr).toContain("requestNotForThisHost");
  });
});

/** What a node_exporter with nothing but this textfile says. */
async function scrape(metrics: string): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), "autopatch-textfile-"));
  let exporter: ChildProcess | undefined;
  try {
    copyFileSync(inside(host.root, FILE), join(folder, "autopatch.prom"));
    expect(metrics).not.toBe("");
    const port = await freePort();
    const args = [
      "--collector.disable-defaults",
      "--collector.textfile",
      `--collector.textfile.directory=${folder}`,
      `--web.listen-address=127.0.0.1:${port}`,
    ];
    exporter = spawn(join(programs, "usr/bin/prometheus-node-exporter"), args, { stdio: "ignore" });
    for (let tries = 0; ; tries++) {
      try {
        return await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
      } catch (error) {
        if (tries > 100) throw error;
        await setTimeout(100);
      }
    }
  } finally {
    exporter?.kill("SIGKILL");
    rmSync(folder, { recursive: true, force: true });
  }
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === "string") throw new Error("no port");
  return address.port;
}
