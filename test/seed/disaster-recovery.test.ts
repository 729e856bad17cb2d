import { basename } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { must, openSeedHost, type SeedHost, upgrade } from "./host.ts";
import { NEW, OLD } from "./packages.ts";
import { block } from "./text.ts";

let host: SeedHost;
beforeAll(async () => {
  host = await openSeedHost();
});
afterAll(() => host?.close());

/** What the plan calls and leaves to who takes it over: each says that it was called. */
const LEFT_OPEN = [
  "generic_disaster_recovery",
  "restore_critical_services_only",
  "initiate_manual_recovery",
  "post_recovery_validation",
  "restore_from_clean_backup",
  "rebuild_system_indexes",
  "generate_forensic_report",
  "rebuild_secure_environment",
  "apply_post_incident_hardening",
];

async function recover(type: string, mode: string) {
  const stubs = LEFT_OPEN.map((name) => `${name}() { echo "CALLED ${name}" "$@"; }`).join("\n");
  const plan = `${block("DISASTER RECOVERY PLAN")}\n${stubs}\ndisaster_recovery_autopatch ${type} ${mode}\n`;
  const ended = await host.bash(plan, { cwd: "/root" });
  const called = [...ended.stdout.matchAll(/^CALLED (.*)$/gm)].map(([, call]) => call);
  return { ...ended, called };
}

const newest = async () => basename((await must(host, "readlink", "/var/tmp/autopatch_backups/latest")).stdout.trim());

test("a hardware failure without any backup is left to a person", async () => {
  await must(host, "mkdir", "-p", "/var/tmp/autopatch_backups");
  const { stdout, called } = await recover("hardware_failure", "standard");

  expect(stdout).toContain("CRITIQUE: Aucune sauvegarde valide trouvée\n");
  expect(called).toEqual(["initiate_manual_recovery", "post_recovery_validation standard"]);
  expect(host.read("/root/disaster-assessment.log")).toMatch(/^Pending: +2, /m);
});

test("after a hardware failure the newest backup is found in the list and the whole system goes back to it", async () => {
  await upgrade(host);
  const installed = await host.version("nginx");
  const backup = await newest();
  const minimal = await recover("hardware_failure", "minimal");
  const standard = await recover("hardware_failure", "standard");

  expect(installed).toBe(NEW);
  expect(minimal.called).toEqual([`restore_critical_services_only ${backup}`, "post_recovery_validation minimal"]);
  expect(standard.stdout, standard.stderr).toContain(`Sauvegarde trouvée: ${backup}\n`);
  expect(standard.stdout).toContain(`Restored from ${backup}: the host is identical to what it was.\n`);
  expect(standard.called).toEqual(["post_recovery_validation standard"]);
  expect([await host.version("nginx"), await host.version("payroll")]).toEqual([OLD, OLD]);
  expect(host.read("/root/disaster-assessment.log")).toContain(`latest ${backup}`);
});

test("corrupted data: services stand still, and the report names the altered file", async () => {
  const intact = host.read("/usr/lib/payroll/program");
  host.write("/usr/lib/payroll/program", `${intact}# altered\n`);
  await must(host, "systemctl", "start", "nginx");
  const { called } = await recover("data_corruption", "standard");
  host.write("/usr/lib/payroll/program", intact);

  expect((await host.run("systemctl", "is-active", "nginx")).stdout).toBe("inactive\n");
  expect(host.read("/root/integrity-report.log")).toContain("/usr/lib/payroll/program");
  expect(called).toEqual(["restore_from_clean_backup standard", "rebuild_system_indexes"]);
  await must(host, "systemctl", "start", "nginx");
});

test("a security breach: the host is locked down, and the release opens it again", async () => {
  const before = (await must(host, "nft", "list", "ruleset")).stdout;
  const { called, stderr } = await recover("security_breach", "complete");
  const locked = (await must(host, "nft", "list", "ruleset")).stdout;
  const refused = await host.run("apt-get", "-y", "install", `nginx=${NEW}`);
  const released = await host.run("/usr/local/bin/autopatch-manager.sh", "emergency-lockdown", "--release");

  expect(called, stderr).toEqual([
    "generate_forensic_report",
    "rebuild_secure_environment complete",
    "apply_post_incident_hardening",
  ]);
  expect(before).toBe("");
  expect(locked).toMatch(/policy drop/);
  expect(refused.exitCode).not.toBe(0);
  expect(released.stdout, released.stderr).toMatch(/^Released: /);
  expect((await must(host, "nft", "list", "ruleset")).stdout).toBe("");
});
