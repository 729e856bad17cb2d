import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { openBase } from "../../../local/hosts/base.ts";
import { type BootedHost, openBootedHost } from "../../../local/hosts/booted-host.ts";
import { writeInside } from "../../../local/hosts/inside.ts";

let host: BootedHost | undefined;
let folder: string;
afterEach(async () => {
  await host?.close();
  rmSync(folder, { recursive: true, force: true });
});

const UNIT = "[Service]\nExecStart=sleep infinity\n[Install]\nWantedBy=multi-user.target\n";
const WANTS = "/etc/systemd/system/multi-user.target.wants";

test("a host boots its systemd: a service is restarted, outlives a reboot and a power loss, and nothing is left at the end", async () => {
  folder = mkdtempSync(join(existsSync("/dev/shm") ? "/dev/shm" : "/var/tmp", "booted-test-"));
  const base = await openBase({ variant: "booted" });
  const workspace = join(folder, "host");
  host = await openBootedHost({
    base,
    name: "booted-web-1",
    workspace,
    settle: (root) => {
      writeInside(root, "/etc/systemd/system/sleeper.service", UNIT);
      mkdirSync(join(root, WANTS), { recursive: true });
      symlinkSync("/etc/systemd/system/sleeper.service", join(root, WANTS, "sleeper.service"));
    },
  });
  const { run } = host;
  const pidOf = async (unit: string) => (await run("systemctl", "show", "--property=MainPID", "--value", unit)).stdout;

  const first = { boot: host.bootId, pid: await pidOf("sleeper") };
  const restarted = await run("systemctl", "restart", "sleeper");
  const second = await pidOf("sleeper");
  await run("touch", "/run/gone", "/var/stays");
  await host.reboot();
  const files = await run("ls", "/run/gone", "/var/stays");
  const orderly = await run("journalctl", "--no-pager", "--quiet", "--boot=0", "--unit=sleeper");
  const afterReboot = { boot: host.bootId, pid: await pidOf("sleeper") };
  await host.reboot({ powerLoss: true });
  const afterLoss = { boot: host.bootId, name: (await run("hostname")).stdout };
  const net = await run("ip", "-brief", "address");
  await host.close();

  expect(Number(first.pid)).toBeGreaterThan(1);
  expect(restarted.exitCode).toBe(0);
  expect(second).not.toBe(first.pid);
  expect(files.stdout).toBe("/var/stays\n");
  expect(orderly.stdout).toContain("Started sleeper.service");
  expect(Number(afterReboot.pid)).toBeGreaterThan(1);
  expect(new Set([first.boot, afterReboot.boot, afterLoss.boot]).size).toBe(3);
  expect(afterLoss.name).toBe("booted-web-1\n");
  expect(net.stdout).toMatch(/^lo .*127\.0\.0\.1/);
  expect(net.stdout.trim().split("\n")).toHaveLength(1);
  expect(readdirSync(folder)).toEqual([]);
});
