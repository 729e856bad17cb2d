import { basename } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { must, openSeedHost, type SeedHost, upgrade } from "./host.ts";
import { block } from "./text.ts";

let host: SeedHost;
beforeAll(async () => {
  host = await openSeedHost();
  await upgrade(host);
});
afterAll(() => host?.close());

const newest = async () => basename((await must(host, "readlink", "/var/tmp/autopatch_backups/latest")).stdout.trim());

/** The replication as its own script: the seed gives the function, and in its crontab how the script is called. */
async function replicate(weekday: number) {
  const [, command = ""] = /^# (?:\S+ ){5}(\/usr\/local\/bin\/.*)$/m.exec(block("AUTOMATED BACKUP REPLICATION")) ?? [];
  const script = `${block("AUTOMATED BACKUP REPLICATION")}\nreplicate_backups_to_dr_site "$@"\n`;
  host.write("/usr/local/bin/backup-replication.sh", script, 0o755);
  host.double("date", `[ "$1" = +%u ] && { echo ${weekday}; exit; }\nexec /usr/bin/date "$@"`);
  return await host.bash(command);
}

test("replication by rsync and ssh: every replica is validated where it lies, on Sundays a restore is tried", async () => {
  await must(host, "systemctl", "start", "ssh");
  host.write("/etc/hosts", `${host.read("/etc/hosts")}127.0.0.1 dr-server.local\n`);
  await must(host, "mkdir", "-p", "/root/.ssh", "/backup");
  await must(host, "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", "/root/.ssh/id_ed25519");
  host.write("/root/.ssh/authorized_keys", host.read("/root/.ssh/id_ed25519.pub"), 0o600);
  host.write("/root/.ssh/config", "Host dr-server.local\n  StrictHostKeyChecking accept-new\n", 0o600);
  await must(host, "mkdir", "/var/tmp/autopatch_backups/backup_unfinished.tmp");
  const backup = await newest();

  const wednesday = await replicate(3);
  const sunday = await replicate(7);

  expect(wednesday.stdout, wednesday.stderr).toContain(`${backup} is valid: `);
  expect(wednesday.stdout).not.toContain("Test restauration hebdomadaire");
  const names = (await must(host, "ls", "/backup/autopatch")).stdout.trim().split("\n");
  expect(names).toEqual([backup, "latest"]);
  await must(host, "diff", "-r", `/var/tmp/autopatch_backups/${backup}`, `/backup/autopatch/${backup}`);
  expect(sunday.stdout, sunday.stderr).toMatch(
    new RegExp(
      `${backup} is valid: [\\s\\S]*Test restauration hebdomadaire\\.\\.\\.\\nIn a clone of this host:\\nRestored from ${backup}`,
    ),
  );
});

test("a replica that is damaged at the other site is told by its name", async () => {
  const replica = `/backup/autopatch/${await newest()}`;
  // As a bad disk does it: neither size nor time say that anything happened.
  await must(host, "cp", "-p", `${replica}/files.tar.zst`, "/root/reference");
  await must(
    host,
    "sh",
    "-c",
    `printf '\\377' | dd of=${replica}/files.tar.zst bs=1 seek=200 conv=notrunc status=none`,
  );
  await must(host, "touch", "-r", "/root/reference", `${replica}/files.tar.zst`);
  const ended = await replicate(3);

  expect(ended.stdout).not.toContain("is valid");
  expect(ended.stderr).toContain(`${replica}: files.tar.zst has SHA-256`);
});
