import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { must, openSeedHost, type SeedHost, upgrade } from "./host.ts";
import { block, line } from "./text.ts";

let host: SeedHost;
beforeAll(async () => {
  host = await openSeedHost();
  await upgrade(host);
});
afterAll(() => host?.close());

const LOGS = "/var/log/autopatch";
const PROMETHEUS = "/var/lib/node_exporter/textfile_collector/autopatch.prom";
const logs = (pattern: RegExp) => readdirSync(join(host.root, LOGS)).filter((name) => pattern.test(name));

/** What the script calls and leaves to who takes it over. */
const LEFT_OPEN = [
  ...["check_disk_space", "validate_recent_backups", "cleanup_temp_files", "send_maintenance_overrun_alert"],
  ...["test_backup_restoration", "optimize_log_database", "generate_weekly_metrics_report"],
];

async function maintain(kind: string, minutes: number) {
  const stubs = LEFT_OPEN.map((name) => `${name}() { echo "CALLED ${name}" "$@"; }`).join("\n");
  return await host.bash(`${block("MAINTENANCE AUTOMATION")}\n${stubs}\nscheduled_maintenance ${kind} ${minutes}\n`);
}

test("the seed's own maintenance script rotates, checks, cleans up and audits", async () => {
  // Old by its name, and long gone bad.
  await must(host, "mkdir", "/var/tmp/autopatch_backups/backup_20200101T000000Z");
  const rotated = host.read(`${LOGS}/autopatch-manager.log`);
  const daily = await maintain("daily", 60);
  const weekly = await maintain("weekly", 120);

  expect(daily.stdout, daily.stderr).toMatch(
    /CALLED cleanup_temp_files\nHost: +seed, [\s\S]*Maintenance daily terminée\n$/,
  );
  expect(daily.stderr).toBe("");
  expect(host.read(`${LOGS}/autopatch-manager.log.1`)).toBe(rotated);
  expect(weekly.stdout).toMatch(/backup_20200101T000000Z.*damaged/);
  expect(weekly.stdout).toMatch(/Maintenance weekly terminée\n$/);
  expect(readdirSync(join(host.root, "/var/tmp/autopatch_backups"))).not.toContain("backup_20200101T000000Z");
  expect(weekly.stdout.length).toBeGreaterThan(2_000);
});

/** Names, types and values of a metrics file; time stamps are left out. */
function metricsOf(text: string): { types: string[]; values: Record<string, number> } {
  const samples = text.split("\n").filter((one) => /^autopatch_\w+ /.test(one));
  return {
    types: text.split("\n").filter((one) => one.startsWith("# TYPE ")),
    values: Object.fromEntries(samples.map((one) => [one.split(" ")[0], Number(one.split(" ")[1])])),
  };
}

test("cron runs the seed's crontab lines: each maintenance reports, metrics are written, a healthy host is not complained of", async () => {
  const crontab = [...block("CRONTAB MAINTENANCE").split("\n"), line("PROMETHEUS EXPORTER", /^# Crontab: /).slice(11)]
    .filter((one) => /^\S+ \S+ \S+ \S+ \S+ \//.test(one))
    .map((one) => one.replace(/^(\S+ ){5}/, "* * * * * "));
  await must(host, "systemctl", "start", "cron");
  host.write("/root/crontab", `${crontab.join("\n")}\n`);
  await must(host, "crontab", "/root/crontab");
  await begun(() => existsSync(join(host.root, PROMETHEUS)));
  await must(host, "crontab", "-r");
  const kinds = ["daily", "weekly", "monthly"];
  await begun(() => kinds.every((kind) => logs(new RegExp(`^maintenance_${kind}_.*\\.txt$`)).length > 0));

  expect(crontab).toHaveLength(5);
  const reports = kinds.map((kind) => host.read(`${LOGS}/${logs(new RegExp(`^maintenance_${kind}_`))[0]}`));
  for (const report of reports) expect(report).not.toMatch(/FAILED|failed/);
  // The daily one rotates the very log that cron appends to: what it says after that goes to the rotated file.
  const said = logs(/^maintenance\.log/)
    .map((name) => host.read(`${LOGS}/${name}`))
    .join("");
  for (const report of reports) expect(said).toContain(report);
  expect(existsSync(join(host.root, `${LOGS}/health.log`))).toBe(false);
});

/** Waits for what cron begins at the next full minute. */
async function begun(isThere: () => boolean): Promise<void> {
  for (const until = Date.now() + 240_000; !isThere(); await sleep(250))
    if (Date.now() > until) throw new Error(`not there in time; ${readFileSync(join(host.root, "/root/crontab"))}`);
}

test("the exporter writes the metrics that the seed's script does, under the same names, with the same numbers", async () => {
  const [, command = ""] = /^# Crontab: (?:\S+ ){5}(.*)$/.exec(line("PROMETHEUS EXPORTER", /^# Crontab: /)) ?? [];
  const old = await host.bash(`${block("PROMETHEUS EXPORTER")}\ngenerate_prometheus_metrics\n`);
  const theirs = metricsOf(host.read(PROMETHEUS));
  const ours = await must(host, "sh", "-c", command).then(() => metricsOf(host.read(PROMETHEUS)));

  expect(old.stderr).toBe("");
  expect(Object.keys(theirs.values)).toHaveLength(6);
  expect(ours.types).toEqual(expect.arrayContaining(theirs.types));
  const same = ["autopatch_packages_total", "autopatch_backups_total", "autopatch_daemon_status"];
  for (const name of same) expect([name, ours.values[name]]).toEqual([name, theirs.values[name]]);
  expect(ours.values).toMatchObject({ autopatch_daemon_status: 0, autopatch_security_violations_total: 0 });
  expect(ours.values.autopatch_disk_usage_bytes).toBeGreaterThan(100_000);
  expect(ours.values.autopatch_last_update_timestamp).toBeGreaterThan(Date.now() / 1_000 - 3_600);
});

test("Ansible's jobs do the same maintenance", async () => {
  const jobs = [...block("Ansible Playbook").matchAll(/job: "\{\{ autopatch_home \}\}(.*)"/g)];
  const home = /autopatch_home: "(.*)"/.exec(block("Ansible Playbook"))?.[1];
  for (const [, job = ""] of jobs) {
    const done = await host.bash(`${home}${job}`);
    expect(done, `${job}: ${done.stdout}${done.stderr}`).toMatchObject({ exitCode: 0 });
  }
  expect(jobs.map(([, job]) => job)).toEqual([
    "/autopatch-maintenance.sh daily 60",
    "/autopatch-maintenance.sh weekly 120",
  ]);
});

test("the health check's line complains once the newest backup cannot be used", async () => {
  const [, check = ""] = /^(?:\S+ ){5}(.*)$/.exec(line("CRONTAB MAINTENANCE", /--health-check/)) ?? [];
  await must(host, "sh", "-c", check);
  const healthy = existsSync(join(host.root, `${LOGS}/health.log`));
  await must(host, "truncate", "--size=-1", "/var/tmp/autopatch_backups/latest/files.tar.zst");
  await must(host, "sh", "-c", check);

  expect(healthy).toBe(false);
  expect(host.read(`${LOGS}/health.log`)).toMatch(/^.*\d{4}: Health check failed\n$/);
});
