import { rmSync } from "node:fs";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { EXIT } from "../../../../contract/failures.ts";
import { HOST_PATHS } from "../../../../contract/names.ts";
import { takeFingerprint } from "../../../../local/hosts/fingerprint.ts";
import { compareFingerprints } from "../../../../local/hosts/fingerprint-comparison.ts";
import { type BootedAgentHost, type BootedBench, openBootedBench } from "../../booted.ts";
import { adversary, lockUpgrade } from "../../patch/adversary.ts";

let bench: BootedBench;
let host: BootedAgentHost;
beforeAll(async () => {
  bench = await openBootedBench();
});
beforeEach(async () => {
  host = await bench.host();
  // Its watchdog comes every minute by the calendar: here it comes when a test says so.
  await host.run("systemctl", "stop", "autopatch-watchdog.timer");
});
afterEach(() => host.close());
afterAll(() => bench.close());

const PATIENCE = { timeout: 240_000 };
const RECORD = `${HOST_PATHS.state}/lockdown.json`;
const COPY = `${HOST_PATHS.state}/lockdown.copy.json`;
const TRIAL = `${HOST_PATHS.state}/trial.json`;
const lockdown = (...args: string[]) => host.run("autopatch-manager.sh", "emergency-lockdown", ...args);
const watchdog = () => host.run(HOST_PATHS.executable, "watchdog");
const rules = async () => (await host.run("nft", "--stateless", "list", "ruleset")).stdout;
const isClosed = async () => (await rules()).includes("table inet autopatch_lockdown {");
const held = async () => (await host.run("apt-mark", "showhold")).stdout.split("\n").length - 1;
const journal = () => JSON.parse(host.read(`${HOST_PATHS.state}/transaction.json`));
const OWN = /^\/var\/(lib|log)\/autopatch(\/|$)|^\/var\/lib\/dpkg\/status-old$/;

async function differences(before: Awaited<ReturnType<typeof takeFingerprint>>): Promise<string[]> {
  const after = await takeFingerprint(host.booted);
  return compareFingerprints(before, after).differences.flatMap(({ path, what }) =>
    OWN.test(path) ? [] : [`${path} ${what}`],
  );
}

test("the administrator's own firewall is as it was, and cannot open what is locked down", PATIENCE, async () => {
  const own = "#!/usr/sbin/nft -f\nflush ruleset\ntable inet own {\n  chain input {\n    tcp dport 80 accept\n  }\n}\n";
  host.write("/etc/nftables.conf", own, 0o755);
  await host.run("systemctl", "enable", "--now", "nftables");
  const [before, rulesBefore] = [await takeFingerprint(host.booted), await rules()];
  expect(rulesBefore).toContain("table inet own {");

  const locked = await lockdown("--full");
  const seen = [await isClosed()];
  for (const command of ["reload", "restart", "stop", "start"]) {
    await host.run("systemctl", command, "nftables");
    seen.push(await isClosed());
  }
  await host.booted.reboot();
  const [atBoot, ownAtBoot] = [await isClosed(), (await rules()).includes("table inet own {")];
  const planned = await lockdown("--release", "--dry-run");
  const stillClosed = [await isClosed(), await held()];
  const released = await lockdown("--release");

  expect(locked.exitCode, locked.stderr).toBe(0);
  expect(seen).toEqual([true, true, true, true, true]);
  expect([atBoot, ownAtBoot]).toEqual([true, true]);
  expect(planned).toMatchObject({
    exitCode: 0,
    stdout: expect.stringMatching(/^The lockdown of \S+Z would be released:\n/),
  });
  expect(planned.stdout).toContain("packages would no longer be on hold");
  expect(stillClosed).toEqual([true, expect.any(Number)]);
  expect(stillClosed[1]).toBeGreaterThan(50);
  expect(released.exitCode, released.stderr).toBe(0);
  expect([await rules(), await held()]).toEqual([rulesBefore, 0]);
  expect(await differences(before)).toEqual([]);
  expect((await host.run("systemctl", "is-active", "nftables")).stdout).toBe("active\n");
  expect((await lockdown("--release", "--dry-run")).stdout).toBe("This host is not locked down.\n");
});

test("a record that was damaged or taken away ends no lockdown; its copy or the words do", PATIENCE, async () => {
  const before = await takeFingerprint(host.booted);
  await lockdown();
  const whole = host.read(RECORD);

  host.write(RECORD, whole.slice(0, 100), 0o600);
  const cut = [await lockdown("--release"), await lockdown(), await lockdown("--release", "--dry-run")];
  rmSync(`${host.root}${RECORD}`);
  const gone = await lockdown("--release");
  const { result } = await host.step("preflight");
  const left = host.read(COPY);
  host.write(RECORD, "{}", 0o600);
  host.write(COPY, "{}", 0o600);
  const both = await lockdown("--release");
  const stillClosed = [await isClosed(), (await held()) > 50];
  host.write(COPY, left, 0o600);
  await host.run("cp", COPY, RECORD);
  const released = await lockdown("--release");

  expect([...cut, gone, both].map(({ exitCode }) => exitCode)).toEqual(Array(5).fill(EXIT.blocked));
  for (const { stderr } of cut)
    expect(stderr).toContain(`${RECORD} cannot be read; the lockdown stays. Find out why, then see that its copy of `);
  expect(cut[0]?.stderr).toContain(`cp ${COPY} ${RECORD}; autopatch-manager.sh emergency-lockdown --release`);
  expect(gone.stderr).toContain(`${RECORD} is gone; the lockdown stays.`);
  expect(result).toMatchObject({ outcome: "failed", code: "lockedDown" });
  expect(both.stderr).toContain("nft delete table inet autopatch_lockdown");
  expect(stillClosed).toEqual([true, true]);
  expect(released.exitCode, released.stderr).toBe(0);
  expect([await isClosed(), await differences(before)]).toEqual([false, []]);
});

test("a trial waits while the host is locked down, and goes back after the release", PATIENCE, async () => {
  await lockUpgrade(host, [adversary({})]);
  const before = await takeFingerprint(host.booted);
  await host.step("backup");
  expect((await host.step("install")).result).toMatchObject({ outcome: "succeeded" });
  await lockdown();
  const clock = JSON.parse(host.read(TRIAL));
  // As if an hour had gone by since the last look, after a trial that was as good as over.
  const old = { ...clock, elapsedMs: clock.seconds * 1_000 - 1, uptimeMs: Math.max(0, clock.uptimeMs - 3_600_000) };
  host.write(TRIAL, JSON.stringify(old), 0o600);

  const [look, elapsed] = [await watchdog(), JSON.parse(host.read(TRIAL)).elapsedMs];
  const { result: asked } = await host.step("rollback");
  const typed = await host.run("rollback.sh", "--restore-system", "latest", "--force");
  const waited = [journal().state, host.read("/usr/lib/adversary/program")];
  await lockdown("--release");
  host.write(
    TRIAL,
    JSON.stringify({ ...JSON.parse(host.read(TRIAL)), elapsedMs: clock.seconds * 1_000 + 11_000 }),
    0o600,
  );
  const back = await watchdog();

  expect(look).toMatchObject({
    exitCode: 0,
    stderr: expect.stringContaining("stays on trial while this host is locked down"),
  });
  expect(elapsed).toBe(old.elapsedMs);
  expect(asked).toMatchObject({ outcome: "failed", code: "lockedDown" });
  expect(typed.stderr).toContain("this host is locked down since");
  expect(waited).toEqual(["trial", "#!/bin/sh\necho 2.0-1\n"]);
  expect(back.exitCode, back.stderr).toBe(0);
  expect(journal()).toMatchObject({ state: "rolledBack", comparison: { identical: true } });
  expect(await differences(before)).toEqual([]);
});

test("a change that was cut short goes back also on a locked host, which stays locked", PATIENCE, async () => {
  const hangs = "#!/bin/sh\ntouch /run/configuring\nsleep 600\n";
  await lockUpgrade(host, [adversary({ postinst: hangs })]);
  const before = await takeFingerprint(host.booted);
  await host.step("backup");
  const dying = host.step("install").catch(() => "no answer");
  for (const end = Date.now() + 120_000; Date.now() < end; )
    if ((await host.run("ls", "/run/configuring")).exitCode === 0) break;
  await host.run("kill", "-KILL", String(journal().owner.pid));
  await dying;

  // dpkg still holds its lock: what cannot be frozen yet is said.
  const locked = await lockdown();
  const back = await watchdog();
  const now = [journal().state, await isClosed(), (await held()) > 50];
  const released = await lockdown("--release");

  expect(locked.stderr).toContain("packages: dpkg");
  expect(back.exitCode, back.stderr).toBe(0);
  expect(now).toEqual(["rolledBack", true, true]);
  expect(journal()).toMatchObject({ reason: "interrupted in state applying", comparison: { identical: true } });
  expect(released.exitCode, released.stderr).toBe(0);
  expect(await differences(before)).toEqual([]);
});
