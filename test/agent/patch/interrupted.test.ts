import { afterAll, beforeAll, expect, test } from "vitest";
import { HOST_PATHS } from "../../../contract/names.ts";
import { takeFingerprint } from "../../../local/hosts/fingerprint.ts";
import { compareFingerprints } from "../../../local/hosts/fingerprint-comparison.ts";
import { type AgentHost, type Bench, openBench } from "../bench.ts";
import { adversary, lockUpgrade } from "./adversary.ts";

let bench: Bench;
beforeAll(async () => {
  bench = await openBench();
});
afterAll(() => bench.close());

/** Ends the agent, and it alone, at that very moment: its pid stands in the journal. */
const KILL_AGENT = `kill -9 "$(sed -n 's/.*"pid": \\([0-9]*\\).*/\\1/p' ${HOST_PATHS.state}/transaction.json)"`;
const SPOIL =
  "echo format=2 > /var/lib/adversary/state; rm -f /usr/lib/adversary/only-in-1.0-1; touch /etc/adversary.new";

const MOMENTS = [
  { moment: "before unpacking", scripts: { preinst: `#!/bin/sh\n${SPOIL}\n${KILL_AGENT}\n` }, reboot: false },
  {
    moment: "while configuring",
    scripts: { postinst: `#!/bin/sh\n${SPOIL}\n${KILL_AGENT}\nsleep 60\n` },
    reboot: false,
  },
  {
    moment: "while configuring, by a power loss",
    scripts: { postinst: `#!/bin/sh\n${SPOIL}\n${KILL_AGENT}\nsleep 60\n` },
    reboot: true,
  },
];

/** Command lines of all processes of the host. */
async function running(host: AgentHost): Promise<string> {
  const lines = await host.run("sh", "-c", "cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' ' '");
  return lines.stdout;
}

async function backedUp(host: AgentHost, scripts: Parameters<typeof adversary>[0]) {
  await lockUpgrade(host, [adversary(scripts)]);
  const before = await takeFingerprint(host.sandbox);
  const { result } = await host.step("backup");
  expect(result, JSON.stringify(result)).toMatchObject({ outcome: "succeeded" });
  return before;
}

test.each(MOMENTS)("killed $moment, the next step brings back exactly what was", async ({ scripts, reboot }) => {
  const host = await bench.host();
  const before = await backedUp(host, scripts);

  await expect(host.step("install")).rejects.toThrow("the step printed nothing");
  const journal = JSON.parse(host.read(`${HOST_PATHS.state}/transaction.json`));
  if (reboot) await host.sandbox.reboot();
  const { result } = await host.step("install");

  expect(journal.state).toBe("applying");
  expect(result).toMatchObject({ outcome: "failed", code: "installFailed", rolledBack: true });
  expect(compareFingerprints(before, await takeFingerprint(host.sandbox)).differences).toEqual([]);
  expect(await running(host)).not.toContain("sleep 60");
});

test("after a kill the next run's preflight finds the host as it was, and goes on", async () => {
  const host = await bench.host();
  const before = await backedUp(host, { postinst: `#!/bin/sh\n${SPOIL}\n${KILL_AGENT}\n` });
  await expect(host.step("install")).rejects.toThrow("the step printed nothing");

  const dry = await host.step("preflight", { runId: "run-2", dryRun: true });
  const { result } = await host.step("preflight", { runId: "run-2" });

  expect(dry.result).toMatchObject({ outcome: "failed", code: "transactionOpen" });
  expect(result, JSON.stringify(result)).toMatchObject({ outcome: "succeeded" });
  expect(compareFingerprints(before, await takeFingerprint(host.sandbox)).differences).toEqual([]);
  expect(JSON.parse(host.read(`${HOST_PATHS.state}/transaction.json`))).toMatchObject({
    runId: "run-1",
    state: "rolledBack",
    reason: "interrupted in state applying",
    comparison: { identical: true },
  });
});

/** Stands before tar and ends the agent when it is about to unpack where /run/kill-at says. */
const TAR = `#!/bin/sh
at=$(cat /run/kill-at 2>/dev/null) || exec /usr/bin/tar.real "$@"
case "$*" in *"--directory=$at") rm /run/kill-at; ${KILL_AGENT};; esac
exec /usr/bin/tar.real "$@"
`;

test.each([
  { moment: "while it lays files ready", at: "/.autopatch-restore" },
  { moment: "when files are in place and folders' times are not", at: "/" },
])("the way back killed $moment: the next start ends it", async ({ at }) => {
  const host = await bench.host();
  await host.run("mv", "/usr/bin/tar", "/usr/bin/tar.real");
  host.write("/usr/bin/tar", TAR, 0o755);
  const before = await backedUp(host, {});
  expect((await host.step("install")).result.outcome).toBe("succeeded");
  host.write("/run/kill-at", at);

  await expect(host.step("rollback")).rejects.toThrow("the step printed nothing");
  const journal = JSON.parse(host.read(`${HOST_PATHS.state}/transaction.json`));
  const { result } = await host.step("rollback");
  const comparison = compareFingerprints(before, await takeFingerprint(host.sandbox));

  expect(journal.state).toBe("rollingBack");
  expect(result).toMatchObject({ outcome: "succeeded", data: { identical: true } });
  expect(comparison.differences).toEqual([]);
  expect(
    comparison.otherTimes.filter((path) => !/^\/var\/lib\/dpkg\/(lock|lock-frontend|triggers\/Lock)$/.test(path)),
  ).toEqual([]);
  expect((await host.run("ls", "-A", "/")).stdout).not.toContain(".autopatch-restore");
});
