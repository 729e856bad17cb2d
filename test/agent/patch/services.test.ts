import { afterAll, beforeAll, expect, test } from "vitest";
import { HOST_PATHS } from "../../../contract/names.ts";
import { takeFingerprint } from "../../../local/hosts/fingerprint.ts";
import { compareFingerprints } from "../../../local/hosts/fingerprint-comparison.ts";
import { type BootedAgentHost, type BootedBench, openBootedBench } from "../booted.ts";
import { installPackage, lockUpgrade } from "./adversary.ts";
import { libraryPair, propertyOf, serviceVersion, startsOf } from "./booted-packages.ts";

let bench: BootedBench;
beforeAll(async () => {
  bench = await openBootedBench();
});
afterAll(() => bench.close());

/** A host boots, and half a dozen calls of the agent follow: seconds on a quiet machine. */
const PATIENCE_MS = 300_000;

const NAMES = ["mapper", "upgraded", "idle", "fresh"] as const;
const starts = async (host: BootedAgentHost) =>
  Object.fromEntries(await Promise.all(NAMES.map(async (name) => [name, await startsOf(host, name)] as const)));

test("services run the new code after one restart each, idle ones stay idle, new ones start; and all of it goes back", {
  timeout: PATIENCE_MS,
}, async () => {
  const host = await bench.host();
  const old = (name: string, traits = {}) => serviceVersion(name, "1.0-1", traits);
  const next = (name: string, traits = {}) => serviceVersion(name, "2.0-1", traits);
  const library = libraryPair(host);
  // Its own package has no update: only the library under it does.
  for (const one of [library.old, old("mapper")]) await installPackage(host, one);
  const pairs = [
    library,
    { old: old("upgraded"), next: next("upgraded", { fields: { Depends: "fresh" } }) },
    { old: old("idle", { enabled: false }), next: next("idle", { enabled: false }) },
  ];
  await lockUpgrade(host, pairs, [], [next("fresh")]);
  const before = await takeFingerprint(host.booted);
  const ssh = await propertyOf(host, "ssh", "MainPID");

  const atFirst = await starts(host);
  const { result: kept } = await host.step("backup");
  const { result: installed } = await host.step("install");
  const { result: validated } = await host.step("validate");
  const { checks } = host.report("validate");
  const afterwards = await starts(host);
  const left = await host.run("ls", "/usr/sbin/policy-rc.d", `${HOST_PATHS.state}/held-restarts`);
  const { result: back } = await host.step("rollback");

  expect(kept, JSON.stringify(kept)).toMatchObject({ outcome: "succeeded" });
  expect(atFirst).toEqual({ mapper: ["1.0-1"], upgraded: ["1.0-1"], idle: [], fresh: [] });
  expect(installed, JSON.stringify(installed)).toMatchObject({ outcome: "succeeded", data: { packages: 4 } });
  expect(afterwards).toEqual({ mapper: ["1.0-1", "1.0-1"], upgraded: ["1.0-1", "2.0-1"], idle: [], fresh: ["2.0-1"] });
  expect(await propertyOf(host, "ssh", "MainPID")).toBe(ssh);
  expect((await host.run("ls", "/run/held-while-configuring")).exitCode).toBe(0);
  expect(left.stdout).toBe("");
  expect(validated, JSON.stringify(validated)).toMatchObject({ outcome: "succeeded" });
  expect(checks?.map(({ name, healthy }) => [name, healthy])).toEqual([
    ["ssh", true],
    ["services", true],
    ["libraries", true],
  ]);
  expect(checks?.at(-1)?.evidence).toBe("2 restarted units run what is on disk");
  expect(back, JSON.stringify(back)).toMatchObject({ outcome: "succeeded", data: { identical: true } });
  expect(compareFingerprints(before, await takeFingerprint(host.booted)).differences).toEqual([]);
  // Back on the old code, and what the change had brought does not run on.
  expect(await starts(host)).toEqual({
    mapper: ["1.0-1", "1.0-1", "1.0-1"],
    upgraded: ["1.0-1", "2.0-1", "1.0-1"],
    idle: [],
    fresh: ["2.0-1"],
  });
  expect(await propertyOf(host, "fresh", "ActiveState")).toBe("inactive");
});

test("an administrator's own policy-rc.d stays in force and is not written over", {
  timeout: PATIENCE_MS,
}, async () => {
  const host = await bench.host();
  const policy = "#!/bin/sh\n# nobody restarts anything here\nexit 101\n";
  host.write("/usr/sbin/policy-rc.d", policy, 0o755);
  await lockUpgrade(host, [
    { old: serviceVersion("upgraded", "1.0-1", { library: false }), next: serviceVersion("upgraded", "2.0-1") },
  ]);
  expect((await host.step("backup")).result.outcome).toBe("succeeded");

  const { result } = await host.step("install");

  expect(result, JSON.stringify(result)).toMatchObject({ outcome: "succeeded" });
  expect(host.read("/usr/sbin/policy-rc.d")).toBe(policy);
  expect(await startsOf(host, "upgraded")).toEqual([]);
});

/** Answers every request with the status in /etc/web.status. */
const SERVER = `use IO::Socket::INET;
my $s = IO::Socket::INET->new(LocalAddr => "127.0.0.1", LocalPort => 8081, Listen => 5, ReuseAddr => 1) or die;
while (my $c = $s->accept) { <$c>; open(my $f, "<", "/etc/web.status"); my $n = <$f>; chomp $n;
  print $c "HTTP/1.1 $n x\\r\\nContent-Length: 0\\r\\nConnection: close\\r\\n\\r\\n"; close $c }`;

test("a URL that no longer answers well and an sshd that is gone are found; what failed before the change is not blamed on it", {
  timeout: PATIENCE_MS,
}, async () => {
  const host = await bench.host();
  host.write("/usr/local/lib/web.pl", SERVER);
  host.write("/etc/web.status", "204\n");
  host.write(
    "/etc/systemd/system/web.service",
    "[Service]\nExecStart=perl /usr/local/lib/web.pl\n[Install]\nWantedBy=multi-user.target\n",
  );
  await host.run("systemctl", "enable", "--now", "web");
  const urls = "http://127.0.0.1:8081/health-check http://127.0.0.1:8082/never";
  host.write(HOST_PATHS.config, `${host.read(HOST_PATHS.config)}AUTOPATCH_PROBE_HTTP="${urls}"\n`, 0o600);
  const breaks = `#!/bin/sh\necho 503 > /etc/web.status\nsystemctl stop ssh\n`;
  const { old, next } = {
    old: serviceVersion("upgraded", "1.0-1", { library: false }),
    next: serviceVersion("upgraded", "2.0-1", { library: false }),
  };
  await lockUpgrade(host, [{ old, next: { ...next, scripts: { postinst: breaks } } }]);
  expect((await host.step("backup")).result.outcome).toBe("succeeded");
  expect((await host.step("install")).result.outcome).toBe("succeeded");

  const { result } = await host.step("validate");
  const { checks } = host.report("validate");
  const { result: back } = await host.step("rollback");

  expect(result).toMatchObject({ outcome: "failed", code: "unhealthy" });
  expect("message" in result && result.message).toMatch(
    /^http:\/\/127\.0\.0\.1:8081\/health-check: HTTP 503; ssh: 127\.0\.0\.1:22: connect ECONNREFUSED 127\.0\.0\.1:22.*; services: no longer active: ssh\.service$/,
  );
  expect(checks?.find(({ name }) => name.endsWith("/never"))).toMatchObject({ healthy: false, failedBefore: true });
  expect(back).toMatchObject({ outcome: "succeeded" });
  expect(await propertyOf(host, "ssh", "ActiveState")).toBe("active");
});
