import { readdirSync } from "node:fs";
import { afterAll, beforeAll, expect, test } from "vitest";
import { HOST_PATHS } from "../../../contract/names.ts";
import { inside } from "../../../local/hosts/inside.ts";
import { type BootedAgentHost, type BootedBench, openBootedBench } from "../booted.ts";
import { propertyOf } from "../patch/booted-packages.ts";
import { until } from "../until.ts";

const TIMERS = ["daily", "monthly", "weekly"].map((kind) => `autopatch-maintenance-${kind}.timer`);
const TAKE_BACK = ["autopatch-recover.service", "autopatch-watchdog.timer"];
const DAEMON = "autopatch-daemon.service";
const CRON = "/etc/cron.d/autopatch";
const AT_ONCE = "/etc/cron.d/at-once";
/** The seed's own lines, with the user that a file in cron.d names. */
const SEED = `0 2 * * * root /usr/local/bin/autopatch-maintenance.sh daily 60 >> /var/log/autopatch/maintenance.log 2>&1
0 3 * * 0 root /usr/local/bin/autopatch-maintenance.sh weekly 120 >> /var/log/autopatch/maintenance.log 2>&1
0 4 1 * * root /usr/local/bin/autopatch-maintenance.sh monthly 180 >> /var/log/autopatch/maintenance.log 2>&1
`;

let bench: BootedBench;
let host: BootedAgentHost;
beforeAll(async () => {
  bench = await openBootedBench();
  host = await bench.host();
});
afterAll(() => bench?.close());

const manage = async (...flags: string[]) => {
  const { exitCode, stdout, stderr } = await host.run("autopatch-manager.sh", "manage-daemon", ...flags);
  return { exit: exitCode, lines: stdout.split("\n").filter((line) => line !== ""), stderr };
};
/** Units that are enabled, and of those the ones that are active. */
const units = async () => {
  const asked = (verb: string) => [verb, DAEMON, ...TAKE_BACK, ...TIMERS] as [string, ...string[]];
  const words = async (verb: string) => (await host.run("systemctl", ...asked(verb))).stdout.trim().split("\n");
  const [enabled, active] = [await words("is-enabled"), await words("is-active")];
  const names = [DAEMON, ...TAKE_BACK, ...TIMERS];
  return {
    enabled: names.filter((_, i) => enabled[i] === "enabled"),
    active: names.filter((_, i) => active[i] === "active"),
  };
};
const writtenUnits = () =>
  readdirSync(inside(host.root, "/etc/systemd/system")).filter((name) => name.startsWith("autopatch-"));
const there = async (path: string) => (await host.run("test", "-e", path)).exitCode === 0;

/** Recovery at boot has nothing to do on this host: it is enabled, and not active. */
const ACTIVE = [DAEMON, "autopatch-watchdog.timer"];

/** What cron's maintenance said: the first of its tasks rotates the very file it is written to. */
const said = async () => (await host.run("sh", "-c", `cat ${HOST_PATHS.logs}/maintenance.log*`)).stdout;

test("the crontab is the seed's", async () => {
  const installed = [await manage("--install", "--cron"), await manage("--install", "--cron")];
  const crontab = host.read(CRON);
  const stat = await host.run("stat", "--format=%a %U", CRON);

  expect(installed).toEqual([
    { exit: 0, lines: [`written ${CRON}`], stderr: "" },
    { exit: 0, lines: [], stderr: "" },
  ]);
  expect(crontab.split("\n").slice(2).join("\n")).toBe(SEED);
  expect(stat.stdout).toBe("644 root\n");
  // The same first line, but that nobody waits until two in the morning; the last test looks what became of it.
  host.write(AT_ONCE, crontab.replace(/^0 2 \* \* \*/m, "* * * * *").replace(/^0 .*\n/gm, ""));
  expect(host.read(AT_ONCE).trim().split("\n")).toHaveLength(3);
});

test("timers or the crontab, never both; each said twice changes nothing the second time", async () => {
  const unknown = await manage("--status");
  const timers = [await manage("--install", "--enable"), await manage("--install", "--enable")];
  const withTimers = { ...(await units()), cron: await there(CRON) };
  const next = [];
  for (const timer of TIMERS) next.push(await propertyOf(host, timer, "NextElapseUSecRealtime"));
  const status = await manage("--status");
  const cron = [await manage("--enable", "--cron"), await manage("--enable", "--cron")];
  const withCron = { ...(await units()), cron: await there(CRON) };
  const cronStatus = await manage("--status");
  const configured = await host.run("autopatch-manager.sh", "install", "--configure");
  const afterConfigure = { ...(await units()), cron: await there(CRON) };

  expect(unknown).toMatchObject({
    exit: 11,
    lines: expect.arrayContaining([expect.stringMatching(/inactive, disabled$/)]),
  });
  const all = [DAEMON, ...TIMERS, ...TAKE_BACK];
  for (const answer of timers)
    expect(answer).toEqual({ exit: 0, lines: all.map((name) => `enabled ${name}`), stderr: "" });
  expect(withTimers).toEqual({
    enabled: [DAEMON, ...TAKE_BACK, ...TIMERS],
    active: [...ACTIVE, ...TIMERS],
    cron: false,
  });
  expect(next).toEqual([
    expect.stringMatching(/^\w{3} \S+ 02:00:00 /),
    expect.stringMatching(/^\w{3} \d{4}-\d\d-01 04:00:00 /),
    expect.stringMatching(/^Sun \S+ 03:00:00 /),
  ]);
  expect(status.exit).toBe(0);
  expect(status.lines.map((line) => line.split(/\s+/).slice(0, 2).join(" "))).toEqual([
    `${DAEMON} active,`,
    ...[...TIMERS, "autopatch-watchdog.timer"].map((name) => `${name} active`),
  ]);
  for (const answer of cron)
    expect(answer).toMatchObject({ exit: 0, lines: [DAEMON, ...TAKE_BACK].map((name) => `enabled ${name}`) });
  expect(withCron).toEqual({ enabled: [DAEMON, ...TAKE_BACK], active: ACTIVE, cron: true });
  expect(cronStatus).toMatchObject({ exit: 0, lines: expect.arrayContaining([expect.stringContaining(CRON)]) });
  expect(configured.exitCode, configured.stderr).toBe(0);
  expect(afterConfigure).toEqual(withCron);
  // All of them are the package's: the agent has written none.
  expect(writtenUnits()).toEqual([]);
});

test("disabled, nothing runs by itself but what takes a host back; the package's units stay", async () => {
  const answers = [await manage("--disable"), await manage("--disable")];
  const disabled = { ...(await units()), cron: await there(CRON) };
  const status = await manage("--status");
  const uninstalled = await manage("--uninstall");

  const names = [DAEMON, ...TIMERS].map((name) => `disabled ${name}`);
  expect(answers).toMatchObject([
    { exit: 0, lines: [...names, `disabled ${CRON}`] },
    { exit: 0, lines: names },
  ]);
  expect(disabled).toEqual({ enabled: TAKE_BACK, active: ["autopatch-watchdog.timer"], cron: false });
  expect(status.exit).toBe(11);
  expect(uninstalled).toMatchObject({ exit: 0, lines: [] });
  expect((await units()).enabled).toEqual(TAKE_BACK);
  expect(await there(`/usr/lib/systemd/system/${DAEMON}`)).toBe(true);
});

test("a host without the package gets the agent's own units, and loses them again", async () => {
  const clean =
    "systemctl disable --now autopatch-watchdog.timer autopatch-recover.service; rm /usr/lib/systemd/system/autopatch-*; systemctl daemon-reload";
  await host.run("sh", "-c", clean);
  const none = await manage("--status");
  const installed = [await manage("--install"), await manage("--install")];
  const after = { files: writtenUnits(), ...(await units()) };
  await manage("--enable");
  const enabled = await units();
  const status = await manage("--status");
  const removed = [await manage("--uninstall"), await manage("--uninstall")];
  const left = await host.run(
    "sh",
    "-c",
    "find /etc/systemd /etc/cron.d -name 'autopatch*'; systemctl list-units --all --no-legend 'autopatch*'",
  );

  expect(none).toMatchObject({
    exit: 11,
    lines: expect.arrayContaining([expect.stringMatching(/inactive, not installed$/)]),
  });
  expect(after).toMatchObject({ enabled: [], active: [] });
  expect(after.files).toHaveLength(10);
  expect(installed.map(({ exit, lines }) => [exit, lines.length])).toEqual([
    [0, 10],
    [0, 0],
  ]);
  expect(enabled).toEqual({ enabled: [DAEMON, ...TAKE_BACK, ...TIMERS], active: [...ACTIVE, ...TIMERS] });
  expect(status.exit).toBe(0);
  expect(removed.map(({ exit, lines }) => [exit, lines.length])).toEqual([
    [0, 10],
    [0, 0],
  ]);
  expect(left.stdout).toBe("");
});

test.each([
  [[], "say --install, --enable or both, or one of --disable, --uninstall, --status"],
  [["--install", "--disable"], "say --install, --enable or both, or one of --disable, --uninstall, --status"],
  [["--status", "--cron"], "--cron goes with --install or --enable"],
  [["--enabel"], "unknown option --enabel. Did you mean --enable?"],
])("%j is refused", async (flags, message) => {
  expect(await manage(...flags)).toMatchObject({ exit: 2, lines: [], stderr: expect.stringContaining(message) });
});

test("cron carries a line of it out", async () => {
  await until("cron's maintenance", 100_000, async () => /^AutoPatch daily maintenance, 20/m.test(await said()));
  await host.run("rm", AT_ONCE);

  const reports = readdirSync(inside(host.root, HOST_PATHS.logs)).filter((name) =>
    name.startsWith("maintenance_daily_"),
  );
  expect(reports.length).toBeGreaterThan(0);
  expect(host.read(`${HOST_PATHS.logs}/${reports[0]}`)).toMatch(/^done {6}Rotate the logs \(logrotate\)/m);
});
