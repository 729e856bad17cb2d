import { existsSync, lstatSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { listeningSockets, ownFileSystems } from "../../../../agent/host/sandbox/machine-facts.ts";
import { openSandbox, type Sandbox, type SandboxOptions } from "../../../../agent/host/sandbox/sandbox.ts";
import { openBase } from "../../../../local/hosts/base.ts";

const QUICK = { deadlineMs: 20_000 };
const BOUNDS = { sizeBytes: 64 << 20, memoryBytes: 256 << 20, processes: 100, fileSystems: [] };

let layer: string;
let folder: string;
let opened: Sandbox[];

beforeAll(async () => {
  layer = (await openBase({ variant: "minimal" })).root;
});
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "confinement-test-"));
  opened = [];
});
afterEach(async () => {
  for (const sandbox of opened) await sandbox.close();
  rmSync(folder, { recursive: true, force: true });
});

async function open(options: Partial<SandboxOptions> = {}): Promise<Sandbox> {
  const workspace = join(folder, `w${opened.length}`);
  const sandbox = await openSandbox({ layers: [layer], workspace, network: "none", confined: BOUNDS, ...options });
  opened.push(sandbox);
  return sandbox;
}

/** Each attempt says `escaped` when it got anywhere; a hostile maintainer script would do the same, as root. */
async function attempt(sandbox: Sandbox, script: string): Promise<string> {
  const result = await sandbox.exec("sh", ["-c", script], QUICK);
  return result.stdout.trim();
}

const ATTEMPTS: [name: string, script: string][] = [
  ["making a block device", "mknod /sda b 8 0 2>/dev/null && echo escaped"],
  ["making a device in /dev", "mknod /dev/mem c 1 1 2>/dev/null && echo escaped"],
  ["a block device that is there", "find /dev -type b | grep . && echo escaped"],
  ["a kernel setting", "(echo 1 > /proc/sys/kernel/panic) 2>/dev/null && echo escaped"],
  ["sysrq", "(echo h > /proc/sysrq-trigger) 2>/dev/null && echo escaped"],
  ["/sys", "(find /sys -maxdepth 3 -name uevent | while read f; do (echo add > $f) 2>/dev/null && echo escaped; done)"],
  ["core_pattern", "(echo '|/x' > /proc/sys/kernel/core_pattern) 2>/dev/null && echo escaped"],
  ["a mount", "mount -t tmpfs none /mnt 2>/dev/null && echo escaped"],
  ["a remount", "mount -o remount,rw,bind /proc/sys 2>/dev/null && echo escaped"],
  ["an unmount", "umount -l /proc/sys 2>/dev/null && echo escaped"],
  ["a mount in namespaces of its own", "unshare -m true 2>/dev/null && echo escaped"],
  [
    "read-only mounts from a user namespace",
    "unshare -Urm sh -c 'umount /proc/sys || mount -o remount,rw,bind /proc/sys' 2>/dev/null && echo escaped",
  ],
  ["systemd and the bus", "ls -d /run/systemd /run/dbus 2>/dev/null && echo escaped"],
  ["the namespaces of PID 1", "nsenter -t 1 -m true 2>/dev/null && echo escaped"],
  ["the root of PID 1", "ls /proc/1/root/ 2>/dev/null && echo escaped"],
  [
    "the descriptors of PID 1",
    "for n in $(ls /proc/1/fd); do (: < /proc/1/fd/$n) 2>/dev/null && echo escaped; ls /proc/1/fd/$n/. 2>/dev/null; done",
  ],
  ["the executable of PID 1, the machine's", "cat /proc/1/exe >/dev/null 2>&1 && echo escaped"],
  ["the memory of PID 1", "head -c1 /proc/1/mem 2>/dev/null && echo escaped; cat /proc/1/maps 2>/dev/null | grep ."],
  [
    "descriptors that were left open",
    "for n in 3 4 5 6 7 8 9; do ls -d /proc/self/fd/$n/. 2>/dev/null && echo escaped; done",
  ],
  ["a kernel module", "perl -e 'exit(syscall(313, 0, 0, 0) == 0 || $!{ENOEXEC} || $!{EBADF} ? 0 : 1)' && echo escaped"],
  ["the clock", "date -s @0 >/dev/null 2>&1 && echo escaped"],
  ["the host name", "hostname escaped 2>/dev/null && echo escaped"],
  ["the kernel's log", "perl -e 'exit(syscall(103, 5, 0, 0) == 0 ? 0 : 1)' && echo escaped"],
];

test.each(ATTEMPTS)("out of reach: %s", async (_, script) => {
  const sandbox = await open();

  expect(await attempt(sandbox, script)).toBe("");
});

test("a chroot is allowed, and leads nowhere: the classic way out ends in the clone", async () => {
  const sandbox = await open();
  await sandbox.exec("touch", ["/mark-of-the-clone"], QUICK);
  const out = `mkdir("/jail"); opendir(D, "/"); chroot("/jail") or die; chdir(*D) ; chdir("..") for 1..30; chroot(".") or die; print -e "/mark-of-the-clone" ? "clone" : "escaped"`;

  expect(await attempt(sandbox, `perl -e '${out}'`)).toBe("clone");
});

test("the capabilities are the nine of an upgrade, also for a set-user-id program and after the clone's setpriv was replaced", async () => {
  const sandbox = await open();
  await attempt(
    sandbox,
    "cp /bin/cat /bin/suid && chmod 4755 /bin/suid; printf '#!/bin/sh\\n' > /usr/bin/setpriv; cp /usr/bin/setpriv /usr/bin/nsenter",
  );

  const status = await attempt(
    sandbox,
    "grep -h '^Cap' /proc/self/status; su -s /bin/sh nobody -c '/bin/suid /proc/self/status' | grep CapEff",
  );

  expect(status.replaceAll("\t", " ").split("\n")).toEqual([
    "CapInh: 0000000000000000",
    "CapPrm: 00000000800400fb",
    "CapEff: 00000000800400fb",
    "CapBnd: 00000000800400fb",
    "CapAmb: 0000000000000000",
    "CapEff: 00000000800400fb",
  ]);
});

test("processes of the machine are not seen and cannot be ended", async () => {
  const sandbox = await open();

  const answer = await attempt(sandbox, `kill -9 ${process.pid} 2>/dev/null && echo escaped; kill -9 -1; echo still`);
  const seen = await attempt(sandbox, "ls /proc | grep -c '^[0-9]'");

  expect(answer).not.toContain("escaped");
  expect(Number(seen)).toBeLessThan(6);
});

test("no network: neither the machine's loopback nor its abstract sockets", async () => {
  const server = createServer().listen(0, "127.0.0.1");
  const abstract = createServer().listen(`\0confinement-${process.pid}`);
  await new Promise((resolve) => setTimeout(resolve, 50));
  const { port } = server.address() as { port: number };
  const sandbox = await open();

  const tcp = await sandbox.exec("bash", ["-c", `exec 3<>/dev/tcp/127.0.0.1/${port} && echo escaped`], QUICK);
  const unix = await attempt(
    sandbox,
    `perl -MSocket -e 'socket(S, AF_UNIX, SOCK_STREAM, 0); print connect(S, sockaddr_un("\\0confinement-${process.pid}")) ? "escaped" : "refused"'`,
  );
  server.close();
  abstract.close();

  expect(tcp.stdout).toBe("");
  expect(unix).toBe("refused");
});

test("a socket of the machine on a disk answers through an overlay; covered, it does not", async () => {
  const path = join(folder, "daemon.sock");
  const server = createServer((client) => client.on("error", () => {}).destroy()).listen(path);
  await new Promise((resolve) => setTimeout(resolve, 50));
  const connect = `perl -MSocket -e 'socket(S, AF_UNIX, SOCK_STREAM, 0); print connect(S, sockaddr_un("${path}")) ? "escaped" : "refused"'`;
  // The machine is the layer; /tmp is the clone's own, so this folder is given.
  const given = { from: folder, to: folder, readOnly: true };

  const bare = await attempt(await open({ layers: ["/"], binds: [given] }), connect);
  const covers = [given, { from: "/dev/null", to: path, readOnly: true }];
  const covered = await attempt(await open({ layers: ["/"], binds: covers }), connect);
  server.close();

  expect(bare).toBe("escaped");
  expect(covered).toBe("refused");
});

test("a fork bomb is ended, and the sandbox says so", async () => {
  const sandbox = await open();

  await sandbox.exec("perl", ["-e", "$SIG{TERM} = 'IGNORE'; fork while 1"], QUICK);
  await sandbox.sweep();

  expect(sandbox.exceeded[0]).toBe("processes");
  expect(await attempt(sandbox, "ls /proc | grep -c '^[0-9]'")).toMatch(/^[1-5]$/);
});

test("memory is bounded, and the sandbox says so", async () => {
  const sandbox = await open();

  const result = await sandbox.exec(
    "perl",
    ["-e", "my @a; for (1 .. 600) { push @a, 'x' x 1e6; select(undef, undef, undef, 0.002) } print 'all'"],
    QUICK,
  );

  expect(result.stdout).toBe("");
  expect(result.signal).toBe("SIGKILL");
  expect(sandbox.exceeded).toEqual(["memory"]);
});

test("where the machine has control groups to give, it is in one; it goes with the sandbox", async () => {
  const sandbox = await open();

  const groups = await attempt(sandbox, "cat /proc/self/cgroup");
  const names = [...new Set([...groups.matchAll(/autopatch-clone-[-\w]+/g)].map(([name]) => name))];
  const found = () =>
    ["", "/memory", "/pids"].flatMap((at) => names.filter((one) => existsSync(`/sys/fs/cgroup${at}/${one}`)));
  const during = found().length;
  await sandbox.close();

  expect(during > 0).toBe(names.length > 0);
  expect(found()).toEqual([]);
});

test("a port below 1024 can be taken, as tests of configuration do, in a network that ends there", async () => {
  const take = `use Socket; socket(S, AF_INET, SOCK_STREAM, 0); print bind(S, sockaddr_in(80, INADDR_ANY)) ? "taken" : $!`;

  expect(await attempt(await open(), `perl -e '${take}'`)).toBe("taken");
});

test("what can be written is bounded, in every place that can be written", async () => {
  const sandbox = await open();
  const fill = (place: string) => `head -c 400M /dev/zero > ${place}/full 2>/dev/null; stat -c %s ${place}/full`;

  const sizes = [];
  for (const place of ["/var", "/run", "/dev/shm", "/dev"]) sizes.push(Number(await attempt(sandbox, fill(place))));

  expect(sizes[0]).toBeGreaterThan(32 << 20);
  for (const size of sizes) expect(size).toBeLessThanOrEqual(64 << 20);
});

test("processes that left their group are ended by a sweep", async () => {
  const sandbox = await open();
  await attempt(sandbox, "setsid sleep 600 >/dev/null 2>&1 & sleep 0.1");

  await sandbox.sweep();

  expect(await attempt(sandbox, "pidof sleep || echo none")).toBe("none");
});

test("what it changed can be read until it is closed; then nothing is left on the machine", async () => {
  const mounts = readFileSync("/proc/self/mountinfo", "utf8");
  const sandbox = await open();
  await attempt(sandbox, "echo one > /etc/one; rm /etc/debian_version");

  const upper = sandbox.uppers.get("/") ?? "";
  const seen = readFileSync(join(upper, "etc/one"), "utf8");
  const whiteout = lstatSync(join(upper, "etc/debian_version"));
  const during = readFileSync("/proc/self/mountinfo", "utf8");
  await sandbox.close();

  expect({ seen, device: whiteout.rdev, character: whiteout.isCharacterDevice() }).toEqual({
    seen: "one\n",
    device: 0,
    character: true,
  });
  expect(during).toBe(mounts);
  expect(existsSync(upper)).toBe(false);
  expect(readdirSync(folder)).toEqual([]);
});

test("file systems of the machine's own are found, others are not", () => {
  const mountinfo = `22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
23 22 8:2 / /boot rw - ext4 /dev/sda2 rw
24 23 8:3 / /boot/efi rw - vfat /dev/sda3 rw
25 22 8:4 / /var rw - xfs /dev/sda4 rw
26 22 0:22 / /proc rw - proc proc rw
27 22 0:30 / /srv/share rw - nfs4 server:/x rw
28 22 0:31 / /opt/shared rw - nfs4 server:/x rw
29 25 0:40 / /var/lib/docker/overlay2/a/merged rw - overlay overlay rw
30 22 8:5 / /usr/local/with\\040blank rw - ext4 /dev/sda5 rw
31 22 7:1 / /snap/core/1 ro - squashfs /dev/loop1 ro
32 22 8:6 / /opt/a:b rw - ext4 /dev/sda6 rw
33 25 0:50 / /var/tmp/autopatch_backups rw - nfs4 fs-1:/ rw
34 25 0:51 / /var/tmp/autopatch_other rw - tmpfs tmpfs rw
`;

  expect(ownFileSystems(mountinfo)).toEqual([
    "/boot",
    "/boot/efi",
    "/usr/local/with blank",
    "/var",
    // Of any kind: a backup that the clone did not see could not be tried there.
    "/var/tmp/autopatch_backups",
  ]);
});

test("sockets on disk are found by path, those of /run, abstract and nameless ones are not", () => {
  const unix = `Num       RefCount Protocol Flags    Type St Inode Path
0000000000000000: 00000002 00000000 00010000 0001 01 25041 /var/spool/postfix/private/smtp
0000000000000000: 00000002 00000000 00010000 0001 01 25042 /run/systemd/private
0000000000000000: 00000002 00000000 00010000 0001 01 25043 @abstract
0000000000000000: 00000003 00000000 00000000 0001 03 25044
0000000000000000: 00000003 00000000 00000000 0001 03 25045 /var/lib/my sql/sock
`;

  expect(listeningSockets(unix)).toEqual(["/var/lib/my sql/sock", "/var/spool/postfix/private/smtp"]);
});
