import { existsSync, readdirSync } from "node:fs";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import type { RecoveryReport } from "../../../agent/recovery/phases.ts";
import { HOST_PATHS } from "../../../contract/names.ts";
import { takeFingerprint } from "../../../local/hosts/fingerprint.ts";
import { compareFingerprints } from "../../../local/hosts/fingerprint-comparison.ts";
import { NO_CLOUD } from "../bench.ts";
import { type BootedAgentHost, type BootedBench, openBootedBench } from "../booted.ts";
import { adversary, installPackage, lockUpgrade } from "../patch/adversary.ts";
import { serviceVersion } from "../patch/booted-packages.ts";

let bench: BootedBench;
let host: BootedAgentHost;
beforeAll(async () => {
  bench = await openBootedBench();
});
beforeEach(async () => {
  host = await bench.host();
  host.write(HOST_PATHS.config, `${NO_CLOUD}AUTOPATCH_CRITICAL_PACKAGES=shop\n`, 0o600);
});
afterEach(() => host.close());
afterAll(() => bench.close());

const PATIENCE = { timeout: 240_000 };
const SHOP = serviceVersion("shop", "1.0-1", { library: false });
const NEXT = serviceVersion("shop", "2.0-1", { library: false });
const manager = (...args: string[]) => host.run("/usr/local/bin/autopatch-manager.sh", ...args);
const recover = (...args: string[]) => manager("disaster-recovery", ...args);
const state = async (unit: string) => (await host.run("systemctl", "is-active", unit)).stdout.trim();
const phases = (stdout: string) => {
  const { phases }: RecoveryReport = JSON.parse(stdout);
  return Object.fromEntries(phases.map(({ phase, outcome, detail }) => [phase, { outcome, detail }]));
};
/** What a recovery writes of itself, and what programs that it calls keep of a file before their last change. */
const OWN = /^\/var\/(lib|log)\/autopatch(\/|$)|^\/etc\/shadow-$|^\/var\/lib\/dpkg\/status-old$/;

async function differences(before: Awaited<ReturnType<typeof takeFingerprint>>): Promise<string[]> {
  const after = await takeFingerprint(host.booted);
  return compareFingerprints(before, after).differences.flatMap(({ path, what }) =>
    OWN.test(path) ? [] : [`${path} ${what}`],
  );
}

async function forcedBackup(): Promise<void> {
  const made = await host.run("/usr/local/bin/install.sh", "--backup", "--force");
  expect(made.exitCode, made.stderr).toBe(0);
}

test(
  "after a breach: locked down first, the backup before it comes back, hardened, and the release puts the rest back",
  PATIENCE,
  async () => {
    const listens = "use IO::Socket::INET; my $s = IO::Socket::INET->new(LocalPort => 8080, Listen => 1) or die; sleep";
    host.write("/usr/local/lib/web.pl", listens);
    const web = "[Service]\nExecStart=/usr/bin/perl /usr/local/lib/web.pl\n[Install]\nWantedBy=multi-user.target\n";
    host.write("/etc/systemd/system/web.service", web);
    await host.run("useradd", "--create-home", "--shell", "/bin/bash", "ada");
    host.write("/etc/autopatch/reindex.d/10-shop", "#!/bin/sh\nsystemctl is-active web >> /run/reindexed\n", 0o755);
    host.write("/etc/autopatch/reindex.d/20-broken", "#!/bin/sh\necho no table >&2\nexit 3\n", 0o755);
    host.write("/etc/autopatch/reindex.d/30-anybodys", "#!/bin/sh\ntouch /run/anybodys\n", 0o777);
    await lockUpgrade(host, [{ old: SHOP, next: NEXT }, adversary({})]);
    await host.run("systemctl", "enable", "--now", "web", "ssh");
    const before = await takeFingerprint(host.booted);
    for (const step of ["backup", "install", "validate", "commit"] as const)
      expect((await host.step(step)).result, step).toMatchObject({ outcome: "succeeded" });
    host.write("/usr/lib/adversary/program", "#!/bin/sh\nexec /tmp/evil\n", 0o755);

    const answer = await recover("--type", "security_breach", "--mode", "complete", "--format=json");
    const report = phases(answer.stdout);

    expect(answer.exitCode, answer.stderr).toBe(0);
    expect(Object.entries(report).map(([phase, { outcome }]) => `${phase} ${outcome}`)).toEqual(
      ["lockdown", "assessment", "integrity", "backup", "restore", "rebuild", "hardening", "validation"].map(
        (phase) => `${phase} done`,
      ),
    );
    expect(report.integrity?.detail).toContain("/usr/lib/adversary/program");
    expect(report.restore?.detail).toContain("the lockdown holds again");
    expect(report.rebuild?.detail).toContain("/etc/autopatch/reindex.d/10-shop");
    expect(report.rebuild?.detail).toContain("NOT: /etc/autopatch/reindex.d/20-broken: no table");
    expect([host.read("/run/reindexed"), existsSync(`${host.root}/run/anybodys`)]).toEqual(["inactive\n", false]);
    expect(report.validation?.detail).toContain("still locked down");
    expect((await host.run("dpkg-query", "-W", "shop", "adversary")).stdout).toBe("adversary\t1.0-1\nshop\t1.0-1\n");
    expect(await Promise.all(["web", "shop", "ssh"].map(state))).toEqual(["inactive", "active", "active"]);
    expect((await host.run("apt-mark", "showhold")).stdout).toContain("shop\n");
    expect((await host.run("nft", "list", "tables")).stdout).toContain("table inet autopatch_lockdown");
    expect((await host.run("su", "-", "ada", "-c", "id")).exitCode).not.toBe(0);
    expect((await host.run("sshd", "-T")).stdout).toContain("passwordauthentication no\n");
    const [folder = ""] = readdirSync(`${host.root}/var/lib/autopatch/evidence`);
    const evidence = `/var/lib/autopatch/evidence/${folder}`;
    expect((await host.run("env", `--chdir=${evidence}`, "sha256sum", "--check", "SHA256SUMS")).exitCode).toBe(0);
    // As it was when they were in, before anything was put back.
    expect(host.read(`${evidence}/packages.txt`)).toContain("/usr/lib/adversary/program");

    const released = await manager("emergency-lockdown", "--release");

    expect(released.exitCode, released.stderr).toBe(0);
    expect(await Promise.all(["web", "shop", "ssh"].map(state))).toEqual(["active", "active", "active"]);
    expect(await differences(before)).toEqual([
      "/etc/ssh/sshd_config.d/50-autopatch-hardening.conf added",
      "/etc/sysctl.d/50-autopatch-hardening.conf added",
    ]);
  },
);

test(
  "after a breach that cannot be undone whole the host stays locked down, and says what is not as it was",
  PATIENCE,
  async () => {
    await lockUpgrade(host, [{ old: SHOP, next: NEXT }, adversary({})]);
    for (const step of ["backup", "install", "validate", "commit"] as const)
      expect((await host.step(step)).result, step).toMatchObject({ outcome: "succeeded" });
    const stubborn = "/usr/lib/adversary";
    await host.run("mount", "--bind", stubborn, stubborn);
    await host.run("mount", "-o", "remount,bind,ro", stubborn);

    const answer = await recover("--type", "security_breach", "--mode", "complete", "--format=json");
    const [held, tables] = [await host.run("apt-mark", "showhold"), await host.run("nft", "list", "tables")];

    expect(answer.exitCode).not.toBe(0);
    const { restore, validation } = phases(answer.stdout);
    expect(restore).toMatchObject({ outcome: "failed", detail: expect.stringContaining(stubborn) });
    expect(validation?.outcome).toBe("skipped");
    expect(held.stdout).toContain("shop\n");
    expect(tables.stdout).toContain("table inet autopatch_lockdown");
    expect(host.read("/etc/apt/apt.conf.d/00autopatch-lockdown")).toContain("false");
  },
);

test(
  "corrupted data: what was isolated runs again, without a valid backup, and after a recovery that was killed",
  PATIENCE,
  async () => {
    await installPackage(host, SHOP);
    await installPackage(host, adversary({}).old);
    const untouched = await takeFingerprint(host.booted);

    const none = await recover("--type", "data_corruption", "--mode", "standard", "--format=json");

    expect(none.exitCode).toBe(9);
    expect(phases(none.stdout)).toMatchObject({
      isolation: { outcome: "done", detail: "stopped shop.service" },
      backup: { outcome: "failed", detail: expect.stringContaining("What to do by hand") },
      restore: { outcome: "skipped" },
      validation: { outcome: "skipped", detail: "an earlier phase failed; started again: shop.service" },
    });
    expect([await state("shop"), await differences(untouched)]).toEqual(["active", []]);

    await forcedBackup();
    const unit = "/usr/lib/systemd/system/shop.service";
    const [good, starts] = [host.read(unit), host.read("/var/log/shop.starts")];
    host.write(unit, "spoilt\n");
    host.write("/usr/lib/adversary/program", "spoilt\n");
    host.write("/var/lib/autopatch/history.db", "spoilt\n");
    const killed = host.run(
      "sh",
      "-c",
      'autopatch-manager.sh "$@" & echo $! > /run/recovery; wait',
      "sh",
      ...["disaster-recovery", "--type=data_corruption", "--mode=minimal"],
    );
    for (const end = Date.now() + 60_000; (await state("shop")) === "active" && Date.now() < end; );
    await host.run("sh", "-c", "kill -9 $(cat /run/recovery)");
    await killed;
    const left = await state("shop");

    const again = await recover("--type=data_corruption", "--mode=minimal", "--format=json");

    expect(left).toBe("inactive");
    expect(again.exitCode, again.stderr + again.stdout).toBe(0);
    expect(phases(again.stdout)).toMatchObject({
      assessment: { outcome: "failed", detail: expect.stringContaining("not a database") },
      isolation: { outcome: "done", detail: "no critical service is running; stopped before: shop.service" },
      restore: { outcome: "done", detail: expect.stringMatching(/^shop: \d+ paths? put back/) },
      validation: { outcome: "done" },
    });
    expect(host.read(unit)).toBe(good);
    expect([await state("shop"), host.read("/var/log/shop.starts")]).toEqual(["active", `${starts}1.0-1\n`]);
    // Minimal is the critical packages' part and no more.
    expect(host.read("/usr/lib/adversary/program")).toBe("spoilt\n");
  },
);
