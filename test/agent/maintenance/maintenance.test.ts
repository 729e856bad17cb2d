import { existsSync, readdirSync, utimesSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Config, parseConfig } from "../../../agent/host/config.ts";
import type { Machine } from "../../../agent/host/machine.ts";
import { removeLeftovers } from "../../../agent/maintenance/own-files.ts";
import { maintain } from "../../../agent/maintenance/run.ts";
import { HOST_PATHS } from "../../../contract/names.ts";
import { openImds } from "../../../local/endpoints/imds/imds.ts";
import { inside } from "../../../local/hosts/inside.ts";
import { ACCOUNT, OPERATOR, REGION, runEndpoint, TOPIC } from "../../local/endpoints/running.ts";
import { type BootedAgentHost, type BootedBench, openBootedBench } from "../booted.ts";
import { outside } from "../patch/adversary.ts";

const { logs, state, work, backups, archives } = HOST_PATHS;
const DAY_MS = 86_400_000;
const HOUR_MS = 3_600_000;

let bench: BootedBench;
let host: BootedAgentHost;
/** Ids of a backup that is whole and of one that was cut. */
let whole: string;
let cut: string;
beforeAll(async () => {
  bench = await openBootedBench();
  host = await bench.host();
  // Nothing can be asked of a mirror here.
  await sh("rm -rf /etc/apt/sources.list /etc/apt/sources.list.d/*");
  cut = await makeBackup();
  whole = await makeBackup();
  // The second backup has a link to the first one's pack: only the first one's own name leads to what was cut.
  const pack = `${backups}/${cut}/files.tar.zst`;
  await sh(`cp -a ${pack} /root/uncut; head --bytes=100 ${pack} > /root/cut; mv /root/cut ${pack}; chmod 600 ${pack}`);
});
afterAll(() => bench?.close());

async function sh(line: string): Promise<string> {
  const { exitCode, stdout, stderr } = await host.run("sh", "-c", line);
  if (exitCode !== 0) throw new Error(`${line}: exit ${exitCode}: ${stderr}`);
  return stdout;
}
async function makeBackup(): Promise<string> {
  await sh("install.sh --backup --force");
  return (await sh(`basename $(readlink -f ${backups}/latest)`)).trim();
}
const maintenance = async (...args: string[]) => {
  const { exitCode, stdout, stderr } = await host.run("autopatch-maintenance.sh", ...args);
  return { exit: exitCode, stdout, stderr };
};
const report = async (...args: string[]) => {
  const { exit, stdout, stderr } = await maintenance(...args, "--format=json");
  const { tasks, ...rest } = JSON.parse(stdout);
  return { exit, stderr, ...rest, tasks: Object.fromEntries(tasks.map((task: { name: string }) => [task.name, task])) };
};
const at = (path: string) => inside(host.root, path);
const names = (folder: string) => readdirSync(at(folder));
const daysOld = (path: string, days: number) => {
  const time = new Date(Date.now() - days * DAY_MS);
  utimesSync(at(path), time, time);
};
/** The host as a machine of this process whose clock is ahead, and can be moved by what it runs. */
const ahead = (ms: number): Machine & { move(more: number): void } => {
  let by = ms;
  return {
    ...outside(host),
    exec: host.booted.exec,
    clock: { now: () => new Date(Date.now() + by), sleep: async () => {} },
    move: (more) => {
      by += more;
    },
  };
};

describe("daily", () => {
  test("a damaged backup is found by name, the other tasks are done all the same, and the exit code says so", async () => {
    host.write(`${logs}/sample.log`, "a line\n");
    const answer = await report("daily", "60");

    expect(answer).toMatchObject({ exit: 11, kind: "daily", windowMinutes: 60, overrunSeconds: 0, alert: null });
    expect(answer.stderr).toContain(`validate_recent_backups: ${cut} IS NOT VALID: `);
    expect(answer.stderr).toContain("(maintenanceFailed)");
    expect(Object.keys(answer.tasks)).toEqual([
      "logrotate",
      "check_disk_space",
      "validate_recent_backups",
      "cleanup_temp_files",
      "health_check",
    ]);
    expect(answer.tasks).toMatchObject({
      logrotate: { outcome: "done" },
      check_disk_space: { outcome: "done", detail: expect.stringMatching(/^\d+ % used, [\d.]+ GB free: \/ /) },
      validate_recent_backups: {
        outcome: "failed",
        detail: expect.stringMatching(
          new RegExp(`^${cut} IS NOT VALID: .*files\\.tar\\.zst.*\n${whole} is valid: \\d+ paths$`),
        ),
      },
      cleanup_temp_files: { outcome: "done", detail: "nothing to remove" },
      health_check: { outcome: "done", detail: expect.stringContaining("Backups:        2, latest") },
    });
    expect(host.read(`${logs}/sample.log.1`)).toBe("a line\n");
    expect(host.read(`${logs}/sample.log`)).toBe("");
  });

  test("what killed programs left is removed when it is older than an hour, and nothing else", async () => {
    const left = [`${state}/history.db.1234.tmp`, `${work}/plan.list`, `${logs}/report.txt.tmp`];
    const stays = [`${state}/note`, `${work}/packages.txt`, "/var/tmp/other.tmp", "/tmp/other.list"];
    await sh(`mkdir -p ${work}`);
    for (const path of [...left, ...stays]) host.write(path, "x");
    const young = await report("daily", "60");
    const before = left.filter((path) => existsSync(at(path)));

    const later = await maintain(ahead(2 * HOUR_MS), request("daily", 60));

    expect(young.tasks.cleanup_temp_files.detail).toBe("nothing to remove");
    expect(before).toEqual(left);
    const done = later.tasks.find(({ name }) => name === "cleanup_temp_files");
    expect(done?.outcome).toBe("done");
    for (const path of left) expect(done?.detail).toContain(path);
    expect(left.filter((path) => existsSync(at(path)))).toEqual([]);
    expect(stays.filter((path) => existsSync(at(path)))).toEqual(stays);
  });

  test("systemd's timer would start it at two; started by its unit it does the same", async () => {
    await sh(`cp -a --remove-destination /root/uncut ${backups}/${cut}/files.tar.zst`);
    await sh("rm -f /var/log/autopatch/maintenance*; autopatch-manager.sh manage-daemon --install --enable");
    host.write(`${logs}/sample.log`, "another line\n");
    const timers = await sh("systemctl list-timers --no-legend --no-pager 'autopatch-maintenance-*'");
    const started = await host.run("systemctl", "start", "autopatch-maintenance-daily.service");
    await sh("autopatch-manager.sh manage-daemon --disable");

    const planned = timers
      .trim()
      .split("\n")
      .map((line) => line.replace(/^(\w+) \S+ (\S+) .*(daily|weekly|monthly)\.service$/, "$3 $1 $2"));
    expect(planned).toEqual(
      expect.arrayContaining([
        expect.stringMatching(/^daily \w+ 02:00:00$/),
        expect.stringMatching(/^weekly Sun 03:00:00$/),
        expect.stringMatching(/^monthly \w+ 04:00:00$/),
      ]),
    );
    expect(started.exitCode, started.stderr).toBe(0);
    expect(host.read(`${logs}/sample.log.1`)).toBe("another line\n");
    const [text = ""] = names(logs).filter((name) => name.startsWith("maintenance_daily_"));
    expect(host.read(`${logs}/${text}`)).not.toMatch(/FAILED|not begun/);
    expect(await sh(`cat ${logs}/maintenance.log*`)).toContain(host.read(`${logs}/${text}`));
  });
});

test("weekly: old backups go, the audit and the report are kept, the newest backup stands its restore test", async () => {
  const day = new Date(Date.now() - 40 * DAY_MS).toISOString().slice(0, 10).replaceAll("-", "");
  const old = `backup_${day}T020000Z`;
  await sh(`cp -a ${backups}/${whole} ${backups}/${old}`);
  const answer = await report("weekly", "120");

  expect(answer.exit, answer.stderr).toBe(0);
  expect(Object.values(answer.tasks)).toMatchObject(Array(5).fill({ outcome: "done" }));
  expect(answer.tasks.cleanup_backups.detail).toContain(`removed: ${old} is 40 days old, the limit is 30 days`);
  expect(names(backups).filter((name) => name.startsWith("backup_"))).toEqual([cut, whole].sort());
  expect(answer.tasks.audit_report.file).toMatch(/\/audit_\d{8}T\d{6}Z\.html$/);
  expect(host.read(answer.tasks.audit_report.file)).toMatch(/^<!doctype html>/i);
  expect(answer.tasks.test_backup_restoration.detail).toMatch(/identical|no difference|is what/i);
  expect(answer.tasks.optimize_log_database.detail).toBe("0 operations older than two years removed, the rest packed");
  expect(host.read(answer.tasks.generate_weekly_metrics_report.file)).toMatch(
    /^AutoPatch from .*\n\d+ packages, 2 backups, .*\n\d+ operations, \d+ failed\n[\s\S]*maintenance daily +\d+ times, 2 failed/,
  );
});

test("monthly: logs are archived, the recovery is rehearsed, and a review tells what is new since the last", async () => {
  const dated = ["download_summary_20200101T000000Z.txt", "sample.log.5", "sample.log.6"];
  for (const name of [...dated, "sample.log.7", "kept.log"]) host.write(`${logs}/${name}`, `content of ${name}\n`);
  for (const [i, name] of dated.entries()) daysOld(`${logs}/${name}`, 40 + i);
  daysOld(`${logs}/kept.log`, 400);
  await sh(`mkdir -p ${logs}/archive`);
  host.write(`${logs}/archive/ancient_20200101T000000Z.txt.gz`, "x");
  daysOld(`${logs}/archive/ancient_20200101T000000Z.txt.gz`, 400);
  const before = await sh("dpkg -l | sha256sum; ls -lR /etc | sha256sum");
  const first = await report("monthly", "180");
  const between = await sh("dpkg -l | sha256sum; ls -lR /etc | sha256sum");
  await sh("chmod 0666 /etc/hosts");
  host.write(`${logs}/sample.log.5`, "another month\n");
  daysOld(`${logs}/sample.log.5`, 35);
  const second = await report("monthly", "180");

  expect(first.exit, first.stderr).toBe(0);
  expect(Object.values(first.tasks)).toMatchObject(Array(5).fill({ outcome: "done" }));
  expect(first.tasks.archive_old_logs.detail).toBe(
    `3 files archived in ${logs}/archive, 1 of more than a year removed`,
  );
  expect(dated.filter((name) => names(logs).includes(name))).toEqual([]);
  expect(names(logs)).toEqual(expect.arrayContaining(["sample.log.7", "kept.log"]));
  // The same number of another month has a place of its own.
  const archived = await sh(`cd ${logs}/archive && for file in *; do echo "$file: $(gzip -cd "$file")"; done`);
  expect(archived.trim().split("\n")).toEqual([
    "download_summary_20200101T000000Z.txt.gz: content of download_summary_20200101T000000Z.txt",
    expect.stringMatching(/^sample_\d{8}T\d{6}Z\.log\.gz: content of sample\.log\.6$/),
    expect.stringMatching(/^sample_\d{8}T\d{6}Z\.log\.gz: content of sample\.log\.5$/),
    expect.stringMatching(/^sample_\d{8}T\d{6}Z\.log\.gz: another month$/),
  ]);
  const rehearsed = names(logs).filter((name) => name.startsWith("disaster_recovery_"));
  expect(rehearsed.length).toBeGreaterThan(0);
  expect(between).toBe(before);
  expect(first.tasks.security_configuration_review.detail).toMatch(/^\d+ findings, the first review/);
  expect(second.tasks.security_configuration_review.detail).toMatch(
    /^\d+ findings, 1 new, 0 gone\nnew: \w+: Everybody may write 1 system path; .*\/etc\/hosts/,
  );
  expect(host.read(second.tasks.generate_monthly_report.file)).toMatch(/maintenance monthly +1 times, 0 failed/);
});

test("monthly: downloads that no lock names and records of old runs go, those of now stay", async () => {
  await sh(`mkdir -p ${archives} ${state}/runs/run-old`);
  host.write(`${archives}/nobody_1.0_all.deb`, "x");
  const now = removeLeftovers(ahead(0));
  const week = removeLeftovers(ahead(7 * DAY_MS));
  const still = names(`${state}/runs`).includes("run-old");
  removeLeftovers(ahead(91 * DAY_MS));

  expect(now.text).toBe("nothing to remove\n");
  expect(week.text).toBe(`removed ${archives}/nobody_1.0_all.deb\n`);
  expect([still, names(`${state}/runs`).includes("run-old")]).toEqual([true, false]);
});

describe("the window and the alert", () => {
  const daily = (config: string, machine = ahead(0)) =>
    maintain(machine, { ...request("daily", 1), config: parseConfig(config) });

  test("once the window is over no task is begun, and the topic is told; one that cannot be told hides nothing", async () => {
    const running = await runEndpoint();
    const role = { role: "autopatch-host", credentials: OPERATOR };
    const imds = await openImds({ instanceId: host.id, account: ACCOUNT, region: REGION, ...role });
    const config = (endpoint: string) =>
      `AWS_ENDPOINT_URL=${endpoint}\nAWS_EC2_METADATA_SERVICE_ENDPOINT=${imds.url}\nAUTOPATCH_ALERT_TOPIC=${TOPIC}\n`;
    try {
      const slow = ahead(0);
      const exec: Machine["exec"] = async (...call) => {
        if (call[0] === "logrotate") slow.move(2 * 60_000);
        return await host.booted.exec(...call);
      };
      const late = await daily(config(running.url), { ...slow, exec });
      const { messages } = running.topics;
      const unheard = await daily(config("http://127.0.0.1:9/"), { ...ahead(0), exec: missing });
      const quiet = await daily(config(running.url));

      expect(late.tasks.map(({ outcome }) => outcome)).toEqual(["done", ...Array(4).fill("skipped")]);
      expect(late.overrunSeconds).toBeGreaterThanOrEqual(60);
      expect(late.alert).toEqual({ topicArn: TOPIC, messageId: messages[0]?.messageId, problem: null });
      expect(messages).toHaveLength(1);
      expect(messages[0]?.subject).toMatch(
        new RegExp(`^AutoPatch: .* \\(${host.id}\\): daily maintenance overran its window$`),
      );
      expect(messages[0]?.message).toMatch(
        /\nthe window of 1 minutes was overrun by 6\d s\. not begun: check_disk_space, /,
      );
      expect(messages[0]?.message).toContain("not begun Disk space (check_disk_space), 0 s");
      expect(unheard).toMatchObject({ alert: { topicArn: TOPIC, messageId: null, problem: expect.any(String) } });
      expect(unheard.tasks.map(({ outcome }) => outcome)).toEqual(["failed", "done", "done", "done", "failed"]);
      expect(quiet).toMatchObject({ alert: null, overrunSeconds: 0 });
      const reports = names(logs).filter((name) => name.startsWith("maintenance_daily_"));
      expect(reports.some((name) => host.read(`${logs}/${name}`).includes(`NOT alerted ${TOPIC}: `))).toBe(true);
    } finally {
      await imds.close();
      await running.stop();
    }
  });

  test("without a topic, nobody is asked for one", async () => {
    expect(await daily("", { ...ahead(0), exec: missing })).toMatchObject({ alert: null });
  });
});

test.each([
  [["dayly", "60"], "unknown kind dayly. Did you mean daily?"],
  [[], "say what kind. Known: daily, weekly, monthly"],
  [["daily"], 'the window is a number of minutes, 1 to 1440, not "": daily 60'],
  [["daily", "0"], 'the window is a number of minutes, 1 to 1440, not "0": daily 60'],
  [["daily", "1h"], 'the window is a number of minutes, 1 to 1440, not "1h": daily 60'],
  [["daily", "60", "--format=jsno"], "unknown format jsno. Did you mean json?"],
])("%j is refused before anything is done", async (args, message) => {
  expect(await maintenance(...args)).toEqual({ exit: 2, stdout: "", stderr: `autopatch-maintenance.sh: ${message}\n` });
});

const missing: Machine["exec"] = () => Promise.reject(new Error("no program can be started"));

function request(kind: "daily", windowMinutes: number) {
  const config: Config = parseConfig("");
  return { kind, windowMinutes, config, agent: [HOST_PATHS.executable] as const };
}
