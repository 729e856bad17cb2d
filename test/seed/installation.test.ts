import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { builtBundle } from "./built.ts";
import { must, openSeedHost, type SeedHost } from "./host.ts";
import { block, line } from "./text.ts";

let folder: string;
let host: SeedHost;
let releases: Server;
const asked: string[] = [];
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "autopatch-seed-"));
  const bundle = await builtBundle(folder);
  host = await openSeedHost({ agent: false });
  await openReleases(bundle);
  host.double("aws");
});
afterEach(async () => {
  await host.run("apt-get", "-qq", "-y", "purge", "autopatch");
  await host.run("sh", "-c", "rm -rf /usr/local/bin/*.sh /tmp/* /etc/systemd/system/autopatch-*");
});
afterAll(async () => {
  await host?.close();
  releases?.close();
  rmSync(folder, { recursive: true, force: true });
});

/** https://releases.autopatch.local/ as the host sees it, by a name in its hosts file and an authority that it trusts. */
async function openReleases(bundle: string): Promise<void> {
  const name = "releases.autopatch.local";
  const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", "/root/key.pem"];
  const subject = ["-subj", `/CN=${name}`, "-addext", `subjectAltName=DNS:${name}`];
  const certificate = `/usr/local/share/ca-certificates/${name}.crt`;
  await must(host, "openssl", "req", "-x509", "-days", "2", ...key, ...subject, "-out", certificate);
  await must(host, "update-ca-certificates");
  releases = createServer({ key: host.read("/root/key.pem"), cert: host.read(certificate) }, (request, response) => {
    asked.push(request.url ?? "");
    response.end(readFileSync(bundle));
  });
  await new Promise<void>((resolve) => releases.listen(0, "127.0.0.1", resolve));
  await host.bridge("releases", "127.0.0.1:443", `https://127.0.0.1:${(releases.address() as AddressInfo).port}`);
  host.write("/etc/hosts", `${host.read("/etc/hosts")}127.0.0.1 ${name}\n`);
}

const daemon = async () => (await host.run("systemctl", "is-active", "autopatch-daemon.service")).stdout.trim();

test("user data installs AutoPatch on a fresh instance, and its daemon runs", async () => {
  const before = await daemon();
  const ended = await host.bash(block("USER DATA SCRIPT"));

  expect(before).toBe("inactive");
  expect(ended.exitCode, ended.stderr).toBe(0);
  expect(asked).toEqual(["/latest/autopatch-bundle.tar.gz"]);
  expect(await daemon(), ended.stderr).toBe("active");
  expect(await host.version("autopatch")).not.toBe("");
  expect(host.read("/etc/environment")).toMatch(/^export INSTANCE_ID=\$\(curl/m);
  // pam_env reads that file literally; AutoPatch must bear with it.
  const status = await must(host, "/usr/local/bin/autopatch-manager.sh", "show-status", "--format=json");
  expect(JSON.parse(status.stdout)).toMatchObject({ host: "seed", pending: { total: 2 } });
  expect(host.calls("aws")[0]).toEqual(
    expect.arrayContaining(["ec2", "create-tags", "Key=AutoPatchEnabled,Value=true"]),
  );
});

test("Terraform's document does, with the version that it is given", async () => {
  const [, list = ""] = /runCommand = \[\n([\s\S]*?)\n\s*\]/.exec(block("Terraform Module")) ?? [];
  const commands = [...list.matchAll(/^\s*"(.*)",?$/gm)].map(([, one]) => (one ?? "").replace("{{version}}", "1.0"));
  const ended = await host.bash(commands.join("\n"), { flags: ["-e"] });

  expect(commands).toHaveLength(7);
  expect(ended.exitCode, ended.stderr).toBe(0);
  expect(asked.at(-1)).toBe("/1.0/autopatch-bundle.tar.gz");
  expect(await daemon()).toBe("active");
});

/** Where a task of the playbook writes its template. */
function destinationOf(task: string): string {
  const text = block("Ansible Playbook").split(`name: ${task}\n`)[1]?.split("- name:")[0] ?? "";
  return /dest: (\S+)/.exec(text)?.[1] ?? "";
}

test("Ansible's four scripts in its folders: the first call of any brings the rest", async () => {
  const playbook = block("Ansible Playbook");
  const items = (task: string) =>
    [...(playbook.split(`name: ${task}`)[1]?.split("- name:")[0] ?? "").matchAll(/^\s+- (\S+)$/gm)].map(
      ([, one]) => one ?? "",
    );
  const home = /autopatch_home: "(.*)"/.exec(playbook)?.[1] ?? "";
  await must(host, "install", "--directory", "--mode=0755", ...items("Create autopatch directories"));
  await must(host, "mkdir", "/root/repository");
  await must(host, "wget", "-q", "-O", "/root/bundle", "https://releases.autopatch.local/1.0/autopatch-bundle.tar.gz");
  await must(host, "tar", "-xzf", "/root/bundle", "-C", "/root/repository");
  for (const item of items("Download AutoPatch scripts")) {
    const destination = line("Ansible Playbook", /^\s+dest: "\{\{ autopatch_home/)
      .replace(/^dest: "(.*)"$/, "$1")
      .replace("{{ autopatch_home }}", home)
      .replace("{{ item }}", item);
    await must(host, "install", "--mode=0700", `/root/repository/${item}`, destination);
  }
  const written = {
    [destinationOf("Configure AutoPatch")]: "AUTOPATCH_BACKUP_RETENTION_DAYS=45\n",
    [destinationOf("Configure log rotation")]: "/var/log/autopatch/*.log {\n    weekly\n    missingok\n}\n",
  };
  for (const [path, text] of Object.entries(written)) host.write(path, text, path.endsWith(".conf") ? 0o600 : 0o644);
  const said = await host.bash(`${home}/download.sh --version`);

  expect(items("Download AutoPatch scripts")).toHaveLength(4);
  expect(items("Create autopatch directories")).toHaveLength(4);
  expect(said.stdout, said.stderr).toMatch(/^autopatch \d/);
  const links = await must(host, "readlink", `${home}/autopatch-manager.sh`, `${home}/autopatch-maintenance.sh`);
  expect(links.stdout.trim().split("\n")).toHaveLength(2);
  // What Ansible wrote before the package came stays, and is what counts.
  expect(Object.keys(written)).toEqual(["/etc/autopatch/autopatch.conf", "/etc/logrotate.d/autopatch"]);
  for (const [path, text] of Object.entries(written)) expect(host.read(path)).toBe(text);
  await must(host, "logrotate", "--debug", "/etc/logrotate.d/autopatch");
  await must(host, "mkdir", "--parents", "/var/tmp/autopatch_backups/backup_20200101T000000Z");
  const cleanup = await must(host, `${home}/rollback.sh`, "--cleanup-backups", "--dry-run");
  expect(cleanup.stdout).toContain("45 days");
});
