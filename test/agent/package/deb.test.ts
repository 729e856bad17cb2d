import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { type BuiltDeb, buildDeb } from "../../../agent/build/deb.ts";
import { buildAgent } from "../../../agent/build/executable.ts";
import { buildBundle } from "../../../agent/build/user-data-bundle.ts";
import { exec } from "../../../agent/host/exec.ts";
import type { Sandbox } from "../../../agent/host/sandbox/sandbox.ts";
import { HOST_PATHS, PROGRAM_LINKS } from "../../../contract/names.ts";
import { defaultCacheFolder } from "../../../local/hosts/base.ts";
import { freshHost, SUITES, type Suite } from "./debian-root.ts";

const LINKS = Object.keys(PROGRAM_LINKS).sort();
const LOG_LINE = "2026-11-25T00:00:00.000Z INFO  manager[1]: something\n";
const INSTALL = ["-qq", "-y", "--no-install-recommends", "-o", "APT::Sandbox::User=root", "install"];

let folder: string;
let executable: string;
let first: BuiltDeb;
let second: BuiltDeb;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "autopatch-deb-"));
  const cacheDir = join(defaultCacheFolder(), "agents");
  ({ path: executable } = await buildAgent({ outdir: folder, cacheDir }));
  // Quick to pack: xz's level is all that differs from what is shipped.
  const common = { executable, arch: "x64", outdir: folder, cacheDir, level: 0, units: sampleUnits() } as const;
  first = await buildDeb({ ...common, version: "0.1.0" });
  second = await buildDeb({ ...common, version: "0.1.1" });
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

let host: Sandbox | undefined;
afterEach(async () => {
  await host?.close();
  host = undefined;
});

/** Units as the package finds them in agent/units: one that is enabled at once, one that manage-daemon enables. */
function sampleUnits(): string {
  const units = join(folder, "units");
  mkdirSync(units);
  writeFileSync(join(units, "autopatch-watchdog.service"), "[Service]\nType=oneshot\nExecStart=/bin/true\n");
  const install = (by: string) => `[Install]\nWantedBy=${by}\n`;
  writeFileSync(join(units, "autopatch-watchdog.timer"), `[Timer]\nOnBootSec=60\n${install("timers.target")}`);
  writeFileSync(
    join(units, "autopatch-daemon.service"),
    `[Service]\nExecStart=/bin/true\n${install("multi-user.target")}`,
  );
  return units;
}

/** A fresh host with files copied into its /root. */
async function open(suite: Suite, ...files: string[]): Promise<Sandbox> {
  host = await freshHost(suite);
  for (const file of files) copyFileSync(file, join(host.root, "root", basename(file)));
  return host;
}

const env = {
  PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
  HOME: "/root",
  DEBIAN_FRONTEND: "noninteractive",
};
const sh = (on: Sandbox, script: string) => on.exec("sh", ["-c", script], { deadlineMs: 240_000, env });
const apt = (on: Sandbox, ...args: string[]) => on.exec("apt-get", args, { deadlineMs: 240_000, env });
/** One line of text for each path: what it is, its mode, where it leads. */
const look = async (on: Sandbox, ...paths: string[]) =>
  (await sh(on, `for p in ${paths.join(" ")}; do stat -c "%n %A %U" $p 2>/dev/null || echo "$p -"; done`)).stdout;

describe.each(SUITES)("on %s", (suite) => {
  test("it is installed, upgraded, removed and purged as policy says", { timeout: 600_000 }, async () => {
    const on = await open(suite, first.path, second.path);
    await sh(on, "echo mine > /usr/local/bin/rollback.sh");

    const installed = await apt(on, ...INSTALL, `/root/${basename(first.path)}`);
    expect(installed.exitCode, installed.stderr).toBe(0);
    expect(installed.stdout + installed.stderr).toContain(
      "autopatch: /usr/local/bin/rollback.sh belongs to somebody else and stays",
    );
    expect((await sh(on, "autopatch-manager.sh show-status --format=json")).stdout).toContain(
      '"agentVersion": "0.1.0"',
    );
    expect((await sh(on, "autopatch --version; install.sh --version; cat /usr/local/bin/rollback.sh")).stdout).toBe(
      "autopatch 0.1.0\nautopatch 0.1.0\nmine\n",
    );
    const conf = HOST_PATHS.config;
    const places = [conf, "/etc/autopatch/health.d", HOST_PATHS.state, HOST_PATHS.logs];
    expect(await look(on, ...places)).toBe(
      `${conf} -rw------- root\n/etc/autopatch/health.d drwxr-xr-x root\n${HOST_PATHS.state} drwx------ root\n${HOST_PATHS.logs} drwxr-xr-x root\n`,
    );
    const enabled = "ls /etc/systemd/system/*.wants 2>/dev/null | grep autopatch";
    expect((await sh(on, enabled)).stdout).toBe("autopatch-watchdog.timer\n");
    expect((await sh(on, "dpkg --verify autopatch; logrotate --debug /etc/logrotate.d/autopatch")).stdout).toBe("");

    await sh(on, `echo AUTOPATCH_LOG_LEVEL=warn >> ${conf}; rm /usr/local/bin/rollback.sh`);
    const upgraded = await apt(on, ...INSTALL, `/root/${basename(second.path)}`);
    expect(upgraded.exitCode, upgraded.stderr).toBe(0);
    expect((await sh(on, `dpkg-query -W autopatch; tail -n 1 ${conf}; readlink /usr/local/bin/*`)).stdout).toBe(
      `autopatch\t0.1.1\nAUTOPATCH_LOG_LEVEL=warn\n${LINKS.map((name) => `/usr/lib/autopatch/bin/${name}\n`).join("")}`,
    );
    const kept = [conf, `${HOST_PATHS.logs}/x.log`, `${HOST_PATHS.state}/x`, `${HOST_PATHS.backups}/backup_1`];
    await sh(on, `echo '${LOG_LINE}' > ${kept[1]}; touch ${kept[2]}; mkdir -p ${kept[3]} ${HOST_PATHS.work}`);
    await sh(on, "mkdir -p /etc/cron.d; echo '# chosen' > /etc/cron.d/autopatch");
    const crontab = async () => (await sh(on, "grep -H . /etc/cron.d/autopatch*")).stdout;

    const removed = await apt(on, "-qq", "-y", "remove", "autopatch");
    expect(removed.exitCode, removed.stderr).toBe(0);
    // Nothing calls what is gone, and whoever installs it again has the schedule that was chosen.
    expect(await crontab()).toBe("/etc/cron.d/autopatch.removed:# chosen\n");
    await apt(on, ...INSTALL, `/root/${basename(second.path)}`);
    expect(await crontab()).toBe("/etc/cron.d/autopatch:# chosen\n");
    await apt(on, "-qq", "-y", "remove", "autopatch");
    expect((await look(on, ...kept)).match(/ -$/gm)).toBeNull();
    expect((await sh(on, "ls /usr/local/bin /usr/lib/autopatch 2>&1; command -v autopatch")).stdout).not.toMatch(
      /\.sh|\/autopatch$/,
    );

    const purged = await apt(on, "-qq", "-y", "purge", "autopatch");
    expect(purged.exitCode, purged.stderr).toBe(0);
    expect(purged.stdout + purged.stderr).toContain(
      `autopatch: the backups in ${HOST_PATHS.backups} are the only way back`,
    );
    const left = "find / -xdev -path /root -prune -o -name '*autopatch*' -print | grep -v ^/var/lib/dpkg/info | sort";
    expect((await sh(on, left)).stdout).toBe(`${HOST_PATHS.backups}\n`);
  });
});

describe("the bundle", () => {
  const USER_DATA = [
    "cd /tmp",
    "tar xzf autopatch-bundle.tar.gz",
    "cp autopatch-*.sh /usr/local/bin/",
    "chmod +x /usr/local/bin/autopatch-*.sh",
  ].join("\n");

  test("user data's own lines install it, and may run again", { timeout: 600_000 }, async () => {
    const { path } = await buildBundle({ debs: [second], outdir: folder });
    const on = await open("bookworm");
    copyFileSync(path, join(on.root, "tmp/autopatch-bundle.tar.gz"));

    const before = await sh(on, `set -e\n${USER_DATA}\nsha256sum --check --quiet SHA256SUMS\nls`);
    expect(before.stdout, before.stderr).toBe(
      ["SHA256SUMS", "autopatch-bundle.tar.gz", ...LINKS].map((name) => `${name}\n`).join(""),
    );
    const manager = await sh(on, "/usr/local/bin/autopatch-manager.sh show-status --format=json");
    expect(manager.exitCode, manager.stderr).toBe(0);
    expect(JSON.parse(manager.stdout)).toMatchObject({ host: "fresh-bookworm", pending: { total: 0 } });
    expect((await sh(on, "download.sh --version; readlink /usr/local/bin/autopatch-manager.sh")).stdout).toBe(
      "autopatch 0.1.0\n/usr/lib/autopatch/bin/autopatch-manager.sh\n",
    );

    // cp writes through links: it must not hit the executable.
    expect((await sh(on, `set -e\n${USER_DATA}\nautopatch-manager.sh show-status --quiet`)).exitCode).toBe(0);
    expect((await sh(on, "dpkg --verify autopatch; autopatch --version")).stdout).toBe("autopatch 0.1.0\n");
    expect((await sh(on, "ls -d /var/tmp/autopatch-setup.*")).stdout).toBe("");
  });

  test("any of its scripts installs it; a cut one installs nothing", { timeout: 600_000 }, async () => {
    const { path } = await buildBundle({ debs: [second], outdir: folder });
    const on = await open("bookworm");
    copyFileSync(path, join(on.root, "tmp/autopatch-bundle.tar.gz"));
    await sh(
      on,
      "mkdir /opt/cut /opt/whole; tar xzf /tmp/autopatch-bundle.tar.gz -C /opt/whole; cp /opt/whole/* /opt/cut/",
    );

    const cut = await sh(on, "truncate --size=-1 /opt/cut/autopatch-manager.sh; /opt/cut/download.sh --version");
    expect(cut).toMatchObject({ exitCode: 8, stdout: "" });
    expect(cut.stderr).toMatch(
      /^autopatch-manager\.sh: .*autopatch-manager\.sh is cut or altered: .*fetch the bundle again\n$/,
    );
    expect((await sh(on, "dpkg-query -W autopatch")).exitCode).toBe(1);
    const user = await on.exec("setpriv", ["--reuid=65534", "/opt/whole/install.sh", "--version"], {
      deadlineMs: 20_000,
      env,
    });
    expect(user).toMatchObject({
      exitCode: 4,
      stderr: expect.stringContaining("must be made by root: run it with sudo"),
    });

    const whole = await sh(on, "/opt/whole/download.sh --version");
    expect(whole, whole.stderr).toMatchObject({ exitCode: 0, stdout: "autopatch 0.1.0\n" });
  });
});

test("the arm64 package has the real arm64 executable, which runs where arm64 runs, here under qemu", {
  timeout: 600_000,
}, async () => {
  const cacheDir = join(defaultCacheFolder(), "agents");
  const { path: arm } = await buildAgent({ arch: "arm64", outdir: folder, cacheDir });
  const deb = await buildDeb({ executable: arm, arch: "arm64", outdir: folder, cacheDir, level: 0, version: "0.1.0" });
  const [control, listed] = await Promise.all(
    ["-I", "-c"].map((flag) => exec("dpkg-deb", [flag, deb.path], { deadlineMs: 60_000 })),
  );
  const unpacked = join(folder, "arm64");
  const at = join(unpacked, HOST_PATHS.executable);
  expect((await exec("dpkg-deb", ["-x", deb.path, unpacked], { deadlineMs: 60_000 })).exitCode).toBe(0);
  const ran = await exec("qemu-aarch64-static", ["-L", "/usr/aarch64-linux-gnu", at, "--version"], {
    deadlineMs: 120_000,
  });

  expect(control?.stdout).toMatch(/^ Architecture: arm64$/m);
  expect(listed?.stdout).toMatch(/^-rwxr-xr-x root\/root \d{8,} .* \.\/usr\/lib\/autopatch\/autopatch$/m);
  for (const name of ["autopatch-daemon.service", "man8/rollback.sh.8.gz", "logrotate.d/autopatch"])
    expect(listed?.stdout).toContain(name);
  expect(readFileSync(at).readUInt16LE(18), "the ELF machine of AArch64").toBe(183);
  expect(ran).toMatchObject({ exitCode: 0, stdout: "autopatch 0.1.0\n" });
});

test("lintian has nothing to say that is not argued in the overrides", { timeout: 900_000 }, async () => {
  const args = ["--allow-root", "--fail-on=error,warning", first.path];
  const lintian = await exec("lintian", args, { deadlineMs: 800_000 });
  expect(lintian).toMatchObject({ exitCode: 0, stdout: "" });
});

test("two builds in two places, under another umask, give one hash", async () => {
  const small = join(folder, "small");
  writeFileSync(small, "#!/bin/sh\n", { mode: 0o755 });
  const build = (name: string) =>
    buildDeb({ executable: small, arch: "arm64", outdir: join(folder, name), cacheDir: join(folder, `${name}-cache`) });
  const one = await build("one");
  const umask = process.umask(0o077);
  const other = await build("other").finally(() => process.umask(umask));
  expect([one.cached, other.cached]).toEqual([false, false]);
  const bundles = await Promise.all(
    [one, other].map((deb) => buildBundle({ debs: [deb], outdir: join(deb.path, "..") })),
  );
  const sums = await exec("sha256sum", [one.path, other.path, ...bundles.map(({ path }) => path)], {
    deadlineMs: 30_000,
  });
  const hashes = sums.stdout
    .trim()
    .split("\n")
    .map((line) => line.slice(0, 64));
  expect(hashes[0]).toBe(hashes[1]);
  expect(hashes[2]).toBe(hashes[3]);
  expect(basename(one.path)).toBe("autopatch_0.1.0_arm64.deb");
});
