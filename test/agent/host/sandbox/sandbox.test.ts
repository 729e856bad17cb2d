import { once } from "node:events";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { CommandNotFound } from "../../../../agent/host/exec.ts";
import { openSandbox, type Sandbox, type SandboxOptions } from "../../../../agent/host/sandbox/sandbox.ts";
import { openBase } from "../../../../local/hosts/base.ts";

const QUICK = { deadlineMs: 20_000 };
const UPPER = existsSync("/dev/shm") ? "/dev/shm" : tmpdir();

let layer: string;
let folder: string;
let opened: Sandbox[];

beforeAll(async () => {
  layer = (await openBase({ variant: "minimal" })).root;
});

beforeEach(() => {
  folder = mkdtempSync(join(UPPER, "sandbox-test-"));
  opened = [];
});

afterEach(async () => {
  for (const sandbox of opened) await sandbox.close();
  rmSync(folder, { recursive: true, force: true });
});

async function open(options: Partial<SandboxOptions> = {}): Promise<Sandbox> {
  const workspace = join(folder, String(opened.length));
  const sandbox = await openSandbox({ layers: [layer], workspace, network: "shared", ...options });
  opened.push(sandbox);
  return sandbox;
}

async function said(sandbox: Sandbox, script: string): Promise<string> {
  const result = await sandbox.exec("sh", ["-c", script], QUICK);
  return `${result.stdout}${result.stderr}`.trim();
}

test("what is written inside lands in the upper layer, what is written through root is seen inside, the layer stays", async () => {
  const sandbox = await open();

  await said(sandbox, "echo inside > /etc/made-inside; rm /etc/debian_version");
  writeFileSync(join(sandbox.root, "etc/made-outside"), "outside\n");

  expect(readFileSync(join(sandbox.upper, "etc/made-inside"), "utf8")).toBe("inside\n");
  expect(await said(sandbox, "cat /etc/made-outside; ls /etc/debian_version")).toBe(
    "outside\nls: cannot access '/etc/debian_version': No such file or directory",
  );
  expect(existsSync(join(layer, "etc/made-inside"))).toBe(false);
  expect(existsSync(join(layer, "etc/debian_version"))).toBe(true);
});

test("nothing of it is mounted on the machine, and nothing of the machine is mounted in it but what it needs", async () => {
  const before = readFileSync("/proc/self/mountinfo", "utf8");

  const sandbox = await open();

  expect(readFileSync("/proc/self/mountinfo", "utf8")).toBe(before);
  const targets = (await said(sandbox, "cut -d' ' -f5 /proc/self/mountinfo | sort -u")).split("\n");
  const expected = [
    "/",
    "/dev",
    "/dev/full",
    "/dev/null",
    "/dev/pts",
    "/dev/random",
    "/dev/shm",
    "/dev/tty",
    "/dev/urandom",
  ];
  expect(targets.filter((target) => !target.startsWith("/proc/") && target !== "/sys")).toEqual(
    [...expected, "/dev/zero", "/etc/resolv.conf", "/proc", "/run", "/tmp"].sort(),
  );
});

test("processes see only themselves; killing everything from inside, PID 1 included, does not end it", async () => {
  const sandbox = await open({ hostname: "alpha" });

  await said(sandbox, "setsid sleep 600 >/dev/null 2>&1 & sleep 0.1; kill -9 1; kill -9 -1");
  const answer = await said(sandbox, "hostname; for p in /proc/[0-9]*; do cat $p/comm; done | sort -u");

  expect(answer.split("\n")).toEqual(
    ["alpha", "autopatch-sandb", "cat", "sh", "sort"].filter((name) => answer.includes(name)),
  );
  expect(answer).toContain("autopatch-sandb");
  expect(answer).not.toContain("sleep");
});

test("orphans are reaped", async () => {
  const sandbox = await open();

  await said(sandbox, "for i in 1 2 3 4 5; do (setsid sleep 0.05 &) ; done; sleep 0.4");

  expect(await said(sandbox, "grep -l '^State:.Z' /proc/[0-9]*/status || echo none")).toContain("none");
});

test("a reboot ends every process, empties /run and /tmp, keeps files and changes the boot id", async () => {
  const sandbox = await open();
  const firstBoot = sandbox.bootId;
  await said(
    sandbox,
    "setsid sleep 600 >/dev/null 2>&1 & echo kept > /var/lib/kept; touch /run/gone /tmp/gone; sleep 0.1",
  );

  await sandbox.reboot();

  expect(
    await said(
      sandbox,
      "cat /proc/sys/kernel/random/boot_id /var/lib/kept; ls /run /tmp; pidof sleep || echo no sleep",
    ),
  ).toBe(`${sandbox.bootId}\nkept\n/run:\nlock\n\n/tmp:\nno sleep`);
  expect(sandbox.bootId).not.toBe(firstBoot);
});

test("when its PID 1 was killed from outside nothing more is run, there or elsewhere, until it is rebooted", async () => {
  const sandbox = await open();
  const { pid } = sandbox;
  process.kill(pid, "SIGKILL");
  await expect.poll(() => existsSync(`/proc/${pid}`)).toBe(false);

  await expect(sandbox.exec("hostname", ["broken"], QUICK)).rejects.toMatchObject({
    name: "SandboxFailure",
    code: "ended",
  });
  expect(() => sandbox.root).toThrow(
    "its PID 1 is gone, killed from outside or for want of memory; reboot it, or open another",
  );
  await sandbox.reboot();

  expect(await said(sandbox, "echo back")).toBe("back");
});

test("closed with keep, its upper layer is a layer of another, removals included; closed without, nothing is left", async () => {
  const first = await open();
  await said(first, "echo one > /etc/one; rm -r /etc/cron.daily; rm /etc/debian_version");
  await first.close({ keep: true });

  const second = await open({ layers: [first.upper, layer] });
  const seen = await said(second, "cat /etc/one; ls -d /etc/cron.daily /etc/debian_version 2>/dev/null | wc -l");
  await second.close();
  await second.close();

  expect(seen).toBe("one\n0");
  expect(readdirSync(folder)).toEqual(["0"]);
  await expect(second.exec("true", [], QUICK)).rejects.toMatchObject({
    name: "SandboxFailure",
    code: "ended",
  });
});

test("network shared reaches the machine's loopback; network none has a loopback of its own and nothing else", async () => {
  const server = createServer((_, response) => response.end("hello")).listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const ask = `exec 3<>/dev/tcp/127.0.0.1/${port} && printf 'GET / HTTP/1.0\\r\\n\\r\\n' >&3 && tail -n 1 <&3`;

  const shared = await (await open()).exec("bash", ["-c", ask], QUICK);
  const none = await open({ network: "none" });
  const alone = await none.exec("bash", ["-c", ask], QUICK);
  const interfaces = await said(
    none,
    "tail -n +3 /proc/net/dev | cut -d: -f1; cat /sys/class/net/lo/operstate 2>/dev/null",
  );
  server.close();

  expect(shared.stdout).toBe("hello");
  expect({ exitCode: alone.exitCode, stdout: alone.stdout }).toEqual({ exitCode: 1, stdout: "" });
  expect(alone.stderr).toContain("Connection refused");
  expect(interfaces.split("\n")[0]?.trim()).toBe("lo");
});

test("exec keeps the contract: exit code, environment, folder, input, deadline, a program that is not there", async () => {
  const sandbox = await open();

  const plain = await sandbox.exec("sh", ["-c", "env | sort; pwd; exit 7"], {
    ...QUICK,
    env: { A: "1", PATH: "/bin" },
    cwd: "/etc",
  });
  const piped = await sandbox.exec("cat", [], { ...QUICK, input: "given" });
  const slow = await sandbox.exec("sleep", ["60"], { deadlineMs: 300 });

  expect(plain).toMatchObject({ exitCode: 7, stdout: "A=1\nLC_ALL=C\nPATH=/bin\nPWD=/etc\n/etc\n", timedOut: false });
  expect(plain.command).toEqual(["sh", "-c", "env | sort; pwd; exit 7"]);
  expect(piped).toMatchObject({ exitCode: 0, stdout: "given", stderr: "" });
  expect(slow).toMatchObject({ timedOut: true, signal: "SIGKILL" });
  await expect(sandbox.exec("no-such-program", [], QUICK)).rejects.toThrow(CommandNotFound);
  expect(await said(sandbox, "pidof sleep || echo none")).toBe("none");
});

test("binds are seen where asked, read-only ones cannot be written, and a link in the clone does not lead outside", async () => {
  const given = mkdtempSync(join(folder, "given-"));
  writeFileSync(join(given, "file"), "of the machine\n");
  const linked = await open();
  await said(linked, `ln -s ${folder}/escaped /etc/target`);
  await linked.close({ keep: true });

  const sandbox = await open({
    layers: [linked.upper, layer],
    binds: [
      { from: given, to: "/srv/read", readOnly: true },
      { from: given, to: "/srv/write", readOnly: false },
      { from: join(given, "file"), to: "/etc/target", readOnly: true },
    ],
  });

  expect(await said(sandbox, "echo x > /srv/read/new || echo refused")).toContain("refused");
  expect(await said(sandbox, "echo x > /srv/write/new; cat /etc/target")).toBe("of the machine");
  expect(existsSync(join(given, "new"))).toBe(true);
  expect(existsSync(join(folder, "escaped"))).toBe(false);
});

test("the machine's kernel settings and devices are out of reach", async () => {
  const sandbox = await open();

  const answer = await said(
    sandbox,
    "for f in /proc/sys/kernel/printk /proc/sysrq-trigger; do echo 4 2>/dev/null > $f || echo refused; done; chmod 600 /dev/null || echo refused; find /dev -type b",
  );

  expect(answer.match(/^refused$/gm)).toEqual(["refused", "refused", "refused"]);
  expect(answer).not.toContain("/dev/sd");
  expect(answer.split("\n").filter((line) => line.startsWith("/dev/"))).toEqual([]);
});

test("the machine itself can be the layer, and stays untouched", async () => {
  const sandbox = await open({ layers: ["/"], network: "none" });

  const name = `sandbox-test-${process.pid}`;
  await said(sandbox, `echo changed > /etc/${name}`);

  expect(readdirSync(join(sandbox.upper, "etc"))).toContain(name);
  expect(existsSync(`/etc/${name}`)).toBe(false);
});

test("what cannot be a layer is refused by name, and a kernel's refusal is told in its words", async () => {
  await expect(open({ layers: ["/srv/a:b"] })).rejects.toMatchObject({
    code: "layerUnusable",
    message:
      'sandbox: "/srv/a:b" must be absolute and without colon, comma, backslash or line break, which overlay options give a meaning',
  });
  await expect(open({ binds: [{ from: "/etc", to: "etc", readOnly: true }] })).rejects.toThrow(
    'sandbox: bind {"from":"/etc","to":"etc","readOnly":true} must name absolute paths without line breaks',
  );
  await expect(open({ layers: ["/no/such/layer"] })).rejects.toMatchObject({
    code: "layerUnusable",
    message: "sandbox: there is no layer /no/such/layer",
  });
  await expect(open({ layers: ["/etc/hostname"] })).rejects.toMatchObject({
    code: "startFailed",
    message: `sandbox ${folder}/0: cannot be started: mount of overlay at ${folder}/0/root: Invalid argument`,
  });
  expect(readdirSync(folder)).toEqual([]);
});
