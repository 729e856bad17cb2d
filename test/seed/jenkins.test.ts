import { afterAll, beforeAll, expect, test } from "vitest";
import { takeFingerprint } from "../../local/hosts/fingerprint.ts";
import { compareFingerprints } from "../../local/hosts/fingerprint-comparison.ts";
import { must, openSeedHost, type SeedHost } from "./host.ts";
import { shellSteps } from "./jenkinsfile.ts";
import { NEW, OLD } from "./packages.ts";
import { line } from "./text.ts";

let host: SeedHost;
beforeAll(async () => {
  host = await openSeedHost({ rehearse: true });
  host.double("curl");
});
afterAll(() => host?.close());

const WORKSPACE = "/var/lib/jenkins/workspace/patch";
const ENVIRONMENT = { AUTOPATCH_HOME: "/usr/local/bin", NOTIFICATION_SLACK: "https://hooks.slack.invalid/T0" };

/** Runs the steps of a section as Jenkins does whose shell is bash: each a script of its own that ends at the first error. */
async function build(section: string, flags: Readonly<Record<string, string>> = {}): Promise<string[]> {
  await must(host, "mkdir", "-p", WORKSPACE);
  const said: string[] = [];
  for (const step of shellSteps(section, { ...ENVIRONMENT, ...flags, "params.TARGET_ENV": "prod" })) {
    const ended = await host.bash(step, { cwd: WORKSPACE, env: ENVIRONMENT, flags: ["-e"] });
    expect(ended, `${step}\n${ended.stdout}${ended.stderr}`).toMatchObject({ exitCode: 0 });
    said.push(ended.stdout);
  }
  return said;
}

/** The file that Jenkins publishes as its page of the audit. */
const published = () => {
  const value = (name: string) => /'(.*)'/.exec(line("JENKINSFILE AUTOPATCH", new RegExp(`^\\s*${name}:`)))?.[1] ?? "";
  return `${value("reportDir")}/${value("reportFiles")}`;
};
const workspace = (file: string) => host.read(`${WORKSPACE}/${file}`);
/** The newest file of a pattern that the build archives. */
const archived = async (pattern: string) => (await must(host, "sh", "-c", `cat "$(ls ${pattern} | tail -n 1)"`)).stdout;
const versions = async () => [await host.version("nginx"), await host.version("payroll")];
const SIMULATION = { dryRunFlag: "--dry-run", backupFlag: "--backup" };
const DEPLOYMENT = { dryRunFlag: "", backupFlag: "--backup" };

test("a simulation goes through every stage and changes nothing", async () => {
  const before = await takeFingerprint(host.booted);
  await build("Pre-Flight Checks");
  const status = JSON.parse(workspace("system-status.json"));
  await build("Package Download & Verification", SIMULATION);
  const planned = await archived("/var/log/autopatch/download_summary_*.txt");
  await build("Security Validation");
  const [installation = ""] = await build("Package Installation", SIMULATION);

  expect(status).toMatchObject({ host: "seed", backups: { count: 0 }, lastUpdate: null });
  expect(workspace("disk-status.txt")).toMatch(/ \/$/m);
  expect(planned).toContain("dry run: nothing was downloaded");
  expect(planned).toContain(`  nginx all ${OLD} -> ${NEW} [critical]\n`);
  expect(host.read("/var/tmp/autopatch/locked_versions.txt")).toContain(NEW);
  expect(installation).toContain("dry run");
  expect(await versions()).toEqual([OLD, OLD]);
  expect(await must(host, "sh", "-c", "ls -d /var/tmp/autopatch_backups/backup_* 2>/dev/null || true")).toMatchObject({
    stdout: "",
  });
  const { differences } = compareFingerprints(before, await takeFingerprint(host.booted));
  expect(differences.filter(({ path }) => !OWN.test(path))).toEqual([]);
});

/** What a dry run may write: AutoPatch's own files, apt's lists, Jenkins' workspace, and this test's. */
const OWN =
  /^\/(var\/(log|tmp|lib)\/autopatch|var\/(lib|cache)\/apt|var\/lib\/jenkins|opt\/doubles|root\/\.seed-script)/;

// Two backups: the rehearsal keeps one of its own.
test("a deployment downloads, tells of critical packages, audits, backs up, installs and reports", async () => {
  host.calls("curl");
  await build("Pre-Flight Checks");
  await build("Package Download & Verification", DEPLOYMENT);
  const told = host.calls("curl");
  await build("Security Validation");
  const [installation = ""] = await build("Package Installation", DEPLOYMENT);
  const [services = ""] = await build("Post-Installation Validation");

  expect(JSON.parse(workspace("system-status.json"))).toMatchObject({ pending: { total: 2, critical: ["nginx"] } });
  expect(host.read("/var/tmp/autopatch/packages_to_install.log")).toMatch(/^nginx/m);
  expect(told.map((call) => call.at(-1))).toEqual([ENVIRONMENT.NOTIFICATION_SLACK]);
  expect(JSON.parse(told[0]?.at(-2) ?? "").text).toContain("Paquets critiques détectés");
  const sums = await host.bash("sha256sum -c locked_versions.txt", { cwd: "/var/tmp/autopatch" });
  expect(sums.stdout, sums.stderr).toMatch(/^archives\/nginx_2\.0-1_all\.deb: OK$/m);
  const audit = JSON.parse(host.read(published()));
  expect(audit.findings.length).toBeGreaterThan(0);
  expect(installation).toContain("nginx");
  expect(await archived("/var/log/autopatch/install_summary_*.txt")).toBe(installation);
  expect(await versions()).toEqual([NEW, NEW]);
  expect(await must(host, "/usr/lib/payroll/program")).toMatchObject({ stdout: `${NEW}\n` });
  expect(services).toMatch(/^inactive\nApache2 inactif\nactive\ninactive\nMySQL inactif\n$/);
  expect(workspace("final-status-report.txt")).toMatch(/^Pending: +nothing\n/m);
  expect(workspace("final-status-report.txt")).toMatch(/^Backups: +2, latest backup_\d{8}T\d{6}Z, made \S+, valid\n/m);
});

test("the failure block puts the host back to what it was before the deployment", async () => {
  host.calls("curl");
  const [, said = ""] = await build("failure");

  expect(JSON.parse(host.calls("curl")[0]?.at(-2) ?? "").text).toBe("AutoPatch ÉCHEC - prod - Vérification requise");
  expect(said).toMatch(/^Rollback automatique initié\.\.\.\nRestored from backup_\S+: the host is identical/);
  expect(await versions()).toEqual([OLD, OLD]);
  expect(host.read("/etc/payroll.conf")).toBe(`version=${OLD}\n`);
  expect(await must(host, "systemctl", "is-active", "nginx")).toMatchObject({ stdout: "active\n" });
});

test("what is always done archives the logs and leaves the workspace clean", async () => {
  const [copy = "", clean = ""] = shellSteps("always", ENVIRONMENT);
  await host.bash(copy, { cwd: WORKSPACE });
  const logs = (await must(host, "ls", WORKSPACE)).stdout.split("\n").filter((name) => name.endsWith(".log"));
  await host.bash(clean, { cwd: WORKSPACE });

  expect(logs).toEqual(
    expect.arrayContaining(["autopatch-manager.log", "download.log", "install.log", "rollback.log"]),
  );
  expect(await must(host, "ls", WORKSPACE)).toMatchObject({ stdout: "" });
});
