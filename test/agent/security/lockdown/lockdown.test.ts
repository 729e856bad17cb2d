import { readdirSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { takeFingerprint } from "../../../../local/hosts/fingerprint.ts";
import { compareFingerprints } from "../../../../local/hosts/fingerprint-comparison.ts";
import { type BootedAgentHost, type BootedBench, openBootedBench } from "../../booted.ts";

let bench: BootedBench;
let host: BootedAgentHost;
beforeAll(async () => {
  bench = await openBootedBench();
});
beforeEach(async () => {
  host = await bench.host();
  await settle(host);
});
afterEach(() => host.close());
afterAll(() => bench.close());

const SERVER = `use IO::Socket::INET; my $s = IO::Socket::INET->new(LocalAddr => $ARGV[0], LocalPort => $ARGV[1], Listen => 5, ReuseAddr => 1) or die;
while (my $c = $s->accept) { print $c "hello\\n"; close $c }`;
const unit = (address: string, port: number) =>
  `[Service]\nExecStart=/usr/bin/perl /usr/local/lib/server.pl ${address} ${port}\n[Install]\nWantedBy=multi-user.target\n`;
/** Prints the first line that a port says, or how it refuses. */
const ASK = `use IO::Socket::INET; my $s = IO::Socket::INET->new(PeerAddr => $ARGV[0], PeerPort => $ARGV[1], Timeout => 2) or do { print "closed\\n"; exit };
print scalar <$s>;`;
/** Holds a connection to ssh: says what it read at first, and after the file /run/go-on is there what it reads then. */
const HELD = `use IO::Socket::INET; $| = 1; my $s = IO::Socket::INET->new(PeerAddr => "10.99.0.1", PeerPort => 22) or die;
print scalar <$s>; select(undef, undef, undef, 0.1) until -e "/run/go-on"; print $s "SSH-2.0-test\\r\\n"; read($s, my $b, 16); print length $b, "\\n"`;

/** A service that the network reaches, one that it does not, a person's account, a package on hold, and somebody outside. */
async function settle({ write, run }: BootedAgentHost): Promise<void> {
  write("/usr/local/lib/server.pl", SERVER);
  write("/etc/systemd/system/web.service", unit("0.0.0.0", 8080));
  write("/etc/systemd/system/inner.service", unit("127.0.0.1", 8081));
  write("/root/ask.pl", ASK);
  write("/root/held.pl", HELD);
  await run("useradd", "--create-home", "--shell", "/bin/bash", "ada");
  await run("useradd", "--create-home", "--shell", "/bin/bash", "--expiredate", "2199-01-01", "bob");
  await run("apt-mark", "hold", "hostname");
  // The connection that is held open for the length of the test never logs in.
  write("/etc/ssh/sshd_config.d/patient.conf", "LoginGraceTime 0\n");
  await run("systemctl", "enable", "--now", "web", "inner", "ssh");
  await run("systemctl", "restart", "ssh");
  await outside(host);
}

async function outside({ run }: BootedAgentHost): Promise<void> {
  const commands = [
    "ip netns add outside",
    "ip link add in type veth peer name out netns outside",
    "ip address add 10.99.0.1/24 dev in",
    "ip link set in up",
    "ip -n outside address add 10.99.0.2/24 dev out",
    "ip -n outside link set out up",
  ];
  for (const command of commands)
    expect((await run("nsenter", "-t", "1", "-m", ...command.split(" "))).stderr).toBe("");
}

const fromOutside = async (port: number) =>
  (await host.run("ip", "netns", "exec", "outside", "perl", "/root/ask.pl", "10.99.0.1", String(port))).stdout.trim();
const state = async (name: string) => (await host.run("systemctl", "is-active", name)).stdout.trim();
const manager = (...args: string[]) => host.run("/usr/local/bin/autopatch-manager.sh", ...args);

test("a full lockdown closes the host, outlives a reboot, and the release puts back exactly what was there", async () => {
  const before = await takeFingerprint(host.booted);
  expect([await fromOutside(8080), await fromOutside(22)]).toEqual(["hello", expect.stringMatching(/^SSH-2.0-/)]);
  const held = host.booted.exec("ip", ["netns", "exec", "outside", "perl", "/root/held.pl"], { deadlineMs: 240_000 });

  const planned = await manager("emergency-lockdown", "--full", "--dry-run");
  const untouched = compareFingerprints(before, await takeFingerprint(host.booted));
  const locked = await manager("emergency-lockdown", "--full");
  const again = await manager("emergency-lockdown", "--full");

  expect(planned.stdout).toContain("stopped: web.service\n");
  expect(untouched.differences.filter(({ path }) => !path.startsWith("/var/lib/autopatch"))).toEqual([]);
  expect({ exit: locked.exitCode, stderr: locked.stderr.replace(/^.* (INFO|WARN) .*\n/gm, "") }).toEqual({
    exit: 0,
    stderr: "",
  });
  expect(locked.stdout).toContain("logins locked: ada, bob");
  expect(again.exitCode).toBe(0);
  expect(await Promise.all(["web", "inner", "ssh"].map(state))).toEqual(["inactive", "active", "active"]);
  expect([await fromOutside(8080), await fromOutside(22)]).toEqual(["closed", "closed"]);
  await host.run("touch", "/run/go-on");
  expect((await held).stdout).toMatch(/^SSH-2\.0-[^\n]*\n16\n$/);
  expect((await host.run("su", "-", "ada", "-c", "id")).exitCode).not.toBe(0);
  expect((await host.run("apt-get", "-y", "remove", "cron")).stderr).toContain("Held packages were changed");
  const forced = await host.run("apt-get", "-y", "--allow-change-held-packages", "remove", "cron");
  expect(forced.stderr).toContain("emergency-lockdown --release ends it");
  expect((await host.step("preflight")).result).toMatchObject({ outcome: "failed", code: "lockedDown" });

  await host.booted.reboot();
  await outside(host);
  expect([await state("web"), await fromOutside(8080), await fromOutside(22)]).toEqual([
    "inactive",
    "closed",
    "closed",
  ]);

  const released = await manager("emergency-lockdown", "--release");
  expect({ exit: released.exitCode, said: released.stdout }).toEqual({
    exit: 0,
    said: expect.stringMatching(
      /^Released: what was locked down at \S+ is as it was\. Evidence stays in \/var\/lib\/autopatch\/evidence\//,
    ),
  });
  expect([await state("web"), await fromOutside(8080), await fromOutside(22)]).toEqual([
    "active",
    "hello",
    expect.stringMatching(/^SSH-2.0-/),
  ]);
  const after = compareFingerprints(before, await takeFingerprint(host.booted));
  expect(after.differences.filter(({ path }) => !LEFT.test(path))).toEqual([]);
  expect((await manager("emergency-lockdown", "--release")).stdout).toBe("This host is not locked down.\n");

  const evidence = `${host.root}/var/lib/autopatch/evidence`;
  const [folder = ""] = readdirSync(evidence);
  const sums = await host.run("sh", "-c", `cd /var/lib/autopatch/evidence/${folder} && sha256sum -c SHA256SUMS`);
  expect(sums.exitCode).toBe(0);
  expect(host.read(join("/var/lib/autopatch/evidence", folder, "processes.jsonl"))).toContain(
    "/usr/local/lib/server.pl",
  );
  expect(host.read(join("/var/lib/autopatch/evidence", folder, "sockets.jsonl"))).toContain('"port":8080');
}, 300_000);

/** The agent's own state, and the copies that chage and dpkg themselves keep of a file before their last change. */
const LEFT = /^\/var\/lib\/autopatch(\/|$)|^\/etc\/shadow-$|^\/var\/lib\/dpkg\/status-old$/;

test("a lockdown that was killed in the middle is taken up, or released, whole", async () => {
  const before = await takeFingerprint(host.booted);
  const spot = ["setsid", "timeout", "--signal=KILL"];
  for (const seconds of ["0.15", "0.4", "0.8"])
    await host.run(
      ...(spot as [string, string, string]),
      seconds,
      "autopatch-manager.sh",
      "emergency-lockdown",
      "--full",
    );
  const released = await manager("emergency-lockdown", "--release");

  expect(released.exitCode).toBe(0);
  expect(await state("web")).toBe("active");
  const after = compareFingerprints(before, await takeFingerprint(host.booted));
  expect(after.differences.filter(({ path }) => !LEFT.test(path))).toEqual([]);
}, 300_000);
