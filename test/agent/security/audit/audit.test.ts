import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { AuditReport, VerifyReport } from "../../../../contract/audit.ts";
import { HOST_PATHS } from "../../../../contract/names.ts";
import { type AgentHost, type Bench, openBench } from "../../bench.ts";

let bench: Bench;
beforeAll(async () => {
  bench = await openBench();
});
afterAll(() => bench.close());

const audit = async (host: AgentHost, ...flags: string[]) =>
  AuditReport.parse(JSON.parse((await host.run("rollback.sh", "--audit-report", "--format=json", ...flags)).stdout));
const verify = async (host: AgentHost) => {
  const answer = await host.run("rollback.sh", "--verify-system", "--format=json");
  return { exit: answer.exitCode, report: VerifyReport.parse(JSON.parse(answer.stdout)) };
};
/** Without what is only told, and what is the kernel's and the network's of the machine that runs the tests. */
const severities = (report: AuditReport) =>
  report.findings
    .filter((one) => one.check !== "kernel" && one.check !== "listening")
    .map(({ id, severity }) => `${severity} ${id}`)
    .filter((line) => !line.startsWith("info "));
const evidenceOf = (report: AuditReport, id: string) => report.findings.find((one) => one.id === id)?.evidence;

describe("a host that was tampered with", () => {
  let host: AgentHost;
  let report: AuditReport;
  beforeAll(async () => {
    host = await bench.host();
    await host.run("download.sh");
    await spoil(host);
    report = await audit(host, "--comprehensive");
  });

  test("every weakness is a finding, the worst first, and nothing else is", () => {
    expect(severities(report)).toEqual([
      "critical violationsRecorded",
      "critical ownPathsUnsafe",
      "critical systemFilesAltered",
      "critical setuidNotPackaged",
      "critical rootTwins",
      "critical emptyPasswords",
      "critical sudoersWritable",
      "critical scheduledWritable",
      "high worldWritableFiles",
      "high foreignOwnedFiles",
      "high unsignedSources",
      "high keysExpired",
      "high authorizedKeysWritable",
      "medium systemFilesMissing",
      "medium aptGuardsOff",
      "medium legacyTrustedGpg",
      "medium rebootPending",
      "medium noBackup",
      "medium sudoNopasswdAll",
      "low scheduledNotPackaged",
      "low unitsNotPackaged",
      "low authorizedKeysOfRoot",
      "low packagesWithoutSource",
    ]);
    expect(report.counts).toMatchObject({ critical: 8, high: 5 });
  });

  test("with what was seen, and what to type", () => {
    expect(evidenceOf(report, "systemFilesAltered")).toEqual(["/usr/sbin/webapp (webapp): other content"]);
    expect(evidenceOf(report, "systemFilesMissing")).toEqual(["/usr/share/man/man8/webapp.8 (webapp): missing"]);
    expect(evidenceOf(report, "conffilesChanged")).toContain("/etc/webapp/webapp.conf (webapp): other content");
    expect(evidenceOf(report, "worldWritableFiles")).toEqual([
      "/etc/cron.d/job (mode 0622, user 0)",
      "/etc/sudoers.d/ops (mode 0666, user 0)",
      "/usr/lib/webapp/healthcheck (mode 0666, user 0)",
    ]);
    expect(evidenceOf(report, "foreignOwnedFiles")).toEqual(["/usr/sbin/reportd (user 1000, mode 0755)"]);
    expect(evidenceOf(report, "setuidNotPackaged")).toEqual(["/usr/local/bin/backdoor (user 0, group 0, mode 4755)"]);
    expect(evidenceOf(report, "rootTwins")).toEqual(["toor (uid 0, shell /bin/sh)"]);
    expect(evidenceOf(report, "sudoNopasswdAll")).toEqual(["/etc/sudoers.d/ops: ops ALL=(ALL) NOPASSWD: ALL"]);
    expect(evidenceOf(report, "unsignedSources")).toEqual([
      "/etc/apt/sources.list.d/vendor.list: http://127.0.0.1:9/debian ./ [trusted]",
    ]);
    expect(evidenceOf(report, "keysExpired")).toEqual([
      expect.stringMatching(/^\/etc\/apt\/trusted\.gpg: vendor, [0-9A-F]{16}, Ed25519, expires 2020-01-31$/),
    ]);
    expect(evidenceOf(report, "violationsRecorded")).toEqual([
      `1 line with SÉCURITÉ COMPROMISE in ${HOST_PATHS.logs}/*.log`,
      expect.stringContaining(`pathUnsafe (run manual-`),
    ]);
    expect(report.findings.find((one) => one.id === "rebootPending")).toEqual({
      id: "rebootPending",
      check: "reboot",
      severity: "medium",
      title: "Updates wait for a reboot to take effect",
      evidence: ["linux-image-amd64 asks for a reboot"],
      evidenceTotal: 1,
      remedy: "Reboot in the next window: systemctl reboot",
    });
  });

  test("what could not look is unknown, neither passed nor failed", () => {
    const open = report.checks.filter((one) => one.status === "unknown" || one.status === "notApplicable");
    expect(open.map(({ id, status, reason }) => [id, status, reason])).toEqual([
      ["lastInstall", "notApplicable", "AutoPatch has no record of an install here"],
      ["ssh", "unknown", "sshd -T: no hostkeys available"],
      ["failedUnits", "notApplicable", "systemd is not PID 1 here"],
      ["capabilities", "unknown", "getcap is not installed: apt-get install libcap2-bin"],
    ]);
  });

  test("the report is made, exit 0; --fail-on asks for another exit; --output for a file", async () => {
    const text = await host.run("rollback.sh", "--audit-report", "--fail-on=critical", "--output=/root/audit.txt");
    expect(text).toMatchObject({ exitCode: 8, stdout: "", stderr: "autopatch: 7 findings are critical or worse\n" });
    const lines = host.read("/root/audit.txt").split("\n");
    expect(lines.filter((line) => line.length > 80 && line.trim().includes(" "))).toEqual([]);
    expect(lines).toContain("  /usr/sbin/webapp (webapp): other content");
    const page = await host.run("rollback.sh", "--audit-report", "--format=html");
    expect(page.exitCode).toBe(0);
    expect(page.stdout).toMatch(/^<!doctype html>/);
    expect(page.stdout).not.toMatch(/<script|https?:\/\/(?!127\.0\.0\.1)|url\(|<link|<img/);
    expect(page.stdout).toContain("ops ALL=(ALL) NOPASSWD: ALL");
  });

  test("--verify-system tells altered system files from configuration, exit 8", async () => {
    const { exit, report: seen } = await verify(host);
    expect(exit).toBe(8);
    expect(seen).toMatchObject({
      intact: false,
      altered: [
        { package: "webapp", path: "/usr/sbin/webapp", what: "content" },
        { package: "webapp", path: "/usr/share/man/man8/webapp.8", what: "missing" },
      ],
      conffiles: [{ package: "webapp", path: "/etc/webapp/webapp.conf", what: "content" }],
      sinceInstall: null,
    });
    const dpkg = await host.run("dpkg", "--verify");
    expect(dpkg.stdout.trim().split("\n").sort()).toEqual(
      [
        "??5?????? c /etc/webapp/webapp.conf",
        "??5??????   /usr/sbin/webapp",
        "missing     /usr/share/man/man8/webapp.8",
      ].sort(),
    );
  });
});

describe("a host after an install of ours", () => {
  let host: AgentHost;
  beforeAll(async () => {
    host = await bench.host();
    for (const [program, ...flags] of [["download.sh"], ["install.sh", "--backup"]] as const)
      expect((await host.run(program, ...flags)).exitCode).toBe(0);
  });

  test("is intact, and nothing changed since", async () => {
    const since = { packagesChanged: false, changed: 0, appeared: 0, vanished: 0, paths: [] };
    expect(await verify(host)).toMatchObject({
      exit: 0,
      report: { intact: true, altered: [], sinceInstall: since },
    });
    expect(severities(await audit(host))).toEqual(["medium aptGuardsOff"]);
  });

  test("what changed since is told; so is a backup whose bytes are not what they were", async () => {
    const script = `echo mine >> /etc/webapp/webapp.conf; echo x > /usr/local/bin/new; rm /usr/sbin/metricsd
      for archive in ${HOST_PATHS.backups}/backup_*/files.tar.zst; do printf x >> "$archive"; done`;
    await host.run("sh", "-c", script);
    const dirty = await verify(host);
    expect(dirty.exit).toBe(8);
    expect(dirty.report.sinceInstall).toMatchObject({
      packagesChanged: false,
      paths: [
        { path: "/etc/webapp/webapp.conf", what: "changed" },
        { path: "/usr/local/bin/new", what: "appeared" },
        { path: "/usr/sbin/metricsd", what: "vanished" },
      ],
    });
    expect(severities(await audit(host))).toEqual([
      "high systemFilesMissing",
      "high backupsInvalid",
      "medium programsChangedSince",
      "medium aptGuardsOff",
    ]);
  });
});

test.each([
  [["--audit-report", "--format=xml"], "rollback.sh: unknown format xml. Did you mean html?\n"],
  [
    ["--verify-system", "--format=html"],
    "rollback.sh --verify-system --format: unknown value html. Known: text, json\n",
  ],
  [["--audit-report", "--fail-on=bad"], "rollback.sh: unknown fail-on bad. Known: critical, high, medium, low, info\n"],
  [["--list-backups", "--comprehensive"], "rollback.sh: --comprehensive belongs to --audit-report\n"],
])("%s is refused", async (args, stderr) => {
  const host = await bench.host();
  const answer = await host.run("rollback.sh", ...args);
  expect(answer.exitCode).toBe(2);
  expect(answer.stderr).toBe(stderr);
  await host.close();
});

/** What an intruder or a careless hand leaves. */
async function spoil(host: AgentHost): Promise<void> {
  host.write("/etc/apt/trusted.gpg", expiredKey());
  host.write("/etc/sudoers", "root ALL=(ALL:ALL) ALL\n@includedir /etc/sudoers.d\n", 0o440);
  host.write("/etc/sudoers.d/ops", "# NOPASSWD: ALL in a comment\nops ALL=(ALL) NOPASSWD: ALL\n", 0o666);
  host.write(
    "/etc/apt/sources.list.d/vendor.list",
    "deb [trusted=yes signed-by=/etc/apt/trusted.gpg] http://127.0.0.1:9/debian ./\n",
  );
  host.write("/usr/sbin/sshd", "#!/bin/sh\necho 'no hostkeys available' >&2\nexit 1\n", 0o755);
  host.write("/root/.ssh/authorized_keys", "# comment\nssh-ed25519 AAAA one\nssh-ed25519 AAAA two\n", 0o622);
  host.write("/etc/cron.d/job", "* * * * * root true\n", 0o622);
  host.write("/etc/systemd/system/mine.service", "[Service]\nExecStart=/bin/true\n");
  host.write("/run/reboot-required", "*** System restart required ***\n");
  host.write("/run/reboot-required.pkgs", "linux-image-amd64\n");
  const script = `set -e
    echo x >> /usr/sbin/webapp
    rm /usr/share/man/man8/webapp.8
    echo '# mine' >> /etc/webapp/webapp.conf
    chmod 0666 /usr/lib/webapp/healthcheck
    chown 1000 /usr/sbin/reportd
    cp /bin/true /usr/local/bin/backdoor; chmod 4755 /usr/local/bin/backdoor
    echo 'toor::0:0::/root:/bin/sh' >> /etc/passwd
    chmod 0777 ${HOST_PATHS.work}; download.sh || true; chmod 0755 ${HOST_PATHS.work}
    chmod 0666 ${HOST_PATHS.lock}`;
  const answer = await host.run("sh", "-c", script);
  if (answer.exitCode !== 0) throw new Error(answer.stderr);
}

/** A key as a vendor's, that ended in 2020. */
function expiredKey(): Buffer {
  const home = mkdtempSync(join(tmpdir(), "autopatch-key-"));
  const gpg = (...args: string[]) =>
    execFileSync("gpg", ["--homedir", home, "--batch", "-q", "--faked-system-time", "20200101T000000", ...args]);
  try {
    gpg("--passphrase", "", "--quick-generate-key", "vendor", "ed25519", "sign", "2020-01-31");
    return gpg("--export");
  } finally {
    rmSync(home, { recursive: true, force: true });
  }
}
