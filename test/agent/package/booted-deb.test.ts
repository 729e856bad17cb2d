import { copyFileSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type BuiltDeb, buildDeb } from "../../../agent/build/deb.ts";
import { buildAgent } from "../../../agent/build/executable.ts";
import { HOST_PATHS } from "../../../contract/names.ts";
import { defaultCacheFolder, openBase } from "../../../local/hosts/base.ts";
import { type BootedHost, openBootedHost } from "../../../local/hosts/booted-host.ts";
import { forgetRunFolder, openRunFolder } from "../../../local/hosts/run-folder.ts";
import { NO_CLOUD } from "../bench.ts";

const run = openRunFolder([`/dev/shm/autopatch-${process.getuid?.() ?? 0}`, join(defaultCacheFolder(), "runs")], 1);
const folder = mkdtempSync(join(tmpdir(), "autopatch-booted-deb-"));
const debs: BuiltDeb[] = [];
let host: BootedHost;
beforeAll(async () => {
  const cacheDir = join(defaultCacheFolder(), "agents");
  const { path: executable } = await buildAgent({ outdir: folder, cacheDir });
  for (const version of ["0.1.0", "0.1.1"])
    debs.push(await buildDeb({ executable, arch: "x64", outdir: folder, cacheDir, level: 0, version }));
  const base = await openBase({ variant: "booted" });
  host = await openBootedHost({ base, name: "deb", workspace: join(run.path, "1") });
  for (const { path } of debs) copyFileSync(path, join(host.root, "root", basename(path)));
}, 600_000);
afterAll(async () => {
  await host?.close();
  for (const path of [folder, run.path]) rmSync(path, { recursive: true, force: true });
  forgetRunFolder(run);
});

const DAEMON = "autopatch-daemon.service";
const dpkg = async (...args: string[]) => {
  const result = await host.run("dpkg", ...args);
  expect(result.exitCode, result.stderr).toBe(0);
};
const install = (number: number) => dpkg("--install", `/root/${basename(debs[number]?.path ?? "")}`);
const sh = async (script: string) => (await host.run("sh", "-c", script)).stdout;
/** Every unit of the package with what systemd says of it: `name enabled active`. */
const units = () =>
  sh(
    "for u in watchdog.timer recover.service daemon.service maintenance-daily.timer; do echo $u $(systemctl is-enabled autopatch-$u) $(systemctl is-active autopatch-$u); done",
  );
const mainPid = () => sh(`systemctl show --property=MainPID --value ${DAEMON}`);

test("under a running systemd: enabled as installed, restarted as upgraded, stopped as removed, gone as purged; not while it is locked down", {
  timeout: 240_000,
}, async () => {
  await install(0);
  const fresh = await units();
  await sh(`printf '${NO_CLOUD.replaceAll("\n", "\\n")}' >> ${HOST_PATHS.config}`);
  const enabled = await host.run("autopatch-manager.sh", "manage-daemon", "--enable");
  const running = [await units(), await mainPid()];

  await install(1);
  const upgraded = [await units(), await mainPid()];

  await host.run("autopatch-manager.sh", "emergency-lockdown");
  const refused = await host.run("dpkg", "--purge", "autopatch");
  const kept = [await sh("dpkg-query -W -f='${Version} ${db:Status-Abbrev}' autopatch"), await units()];
  await host.run("autopatch-manager.sh", "emergency-lockdown", "--release");
  const released = await sh("dpkg-query -W -f='${db:Status-Abbrev}' autopatch");

  await dpkg("--remove", "autopatch");
  const removed = await sh("systemctl list-units --state=active --plain --no-legend 'autopatch-*'; pgrep -c autopatch");
  await dpkg("--purge", "autopatch");
  const left = await sh(
    "find / -xdev -path /root -prune -o -path /proc -prune -o -name '*autopatch*' -print; systemctl list-unit-files --no-legend 'autopatch-*'",
  );

  const expected = (daemon: string) =>
    `watchdog.timer enabled active\nrecover.service enabled inactive\ndaemon.service ${daemon}\nmaintenance-daily.timer ${daemon}\n`;
  expect(fresh).toBe(expected("disabled inactive"));
  expect(enabled.exitCode, enabled.stderr).toBe(0);
  expect(running).toEqual([expected("enabled active"), expect.stringMatching(/^[1-9]\d*\n$/)]);
  expect(upgraded).toEqual([expected("enabled active"), expect.stringMatching(/^[1-9]\d*\n$/)]);
  expect(upgraded[1]).not.toBe(running[1]);
  expect(refused.exitCode).toBe(1);
  expect(refused.stderr).toContain("this host is locked down: autopatch-manager.sh emergency-lockdown --release");
  expect(kept).toEqual(["0.1.1 pi ", expected("enabled active")]);
  expect(released).toBe("ii ");
  expect(removed).toBe("0\n");
  expect(left).toBe("");
});
