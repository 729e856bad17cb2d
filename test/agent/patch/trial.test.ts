import { afterAll, beforeAll, expect, test } from "vitest";
import { decodeResult } from "../../../contract/frame.ts";
import { HOST_PATHS } from "../../../contract/names.ts";
import { encodeRequest, type PatchPolicy } from "../../../contract/request.ts";
import { takeFingerprint } from "../../../local/hosts/fingerprint.ts";
import { compareFingerprints } from "../../../local/hosts/fingerprint-comparison.ts";
import { PATH, requestFor } from "../bench.ts";
import { type BootedAgentHost, type BootedBench, openBootedBench } from "../booted.ts";
import { adversary, lockUpgrade } from "./adversary.ts";
import { propertyOf, serviceVersion, startsOf } from "./booted-packages.ts";

let bench: BootedBench;
beforeAll(async () => {
  bench = await openBootedBench();
});
afterAll(() => bench.close());

const PATIENCE_MS = 300_000;
const JOURNAL = `${HOST_PATHS.state}/transaction.json`;
const journal = (host: BootedAgentHost) => JSON.parse(host.read(JOURNAL));
/** The timer as it is shipped, but for its pace. */
const EVERY_SECOND = "[Timer]\nOnCalendar=\nOnCalendar=*:*:*\nAccuracySec=100ms\n";

async function until(host: BootedAgentHost, state: string): Promise<void> {
  const end = Date.now() + PATIENCE_MS / 2;
  while (journal(host).state !== state) {
    if (Date.now() > end) throw new Error(`${state} was not reached: ${host.read(JOURNAL)}`);
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
}

async function history(host: BootedAgentHost): Promise<string> {
  return (await host.run("autopatch-manager.sh", "show-status", "--format=json")).stdout;
}

async function installed(host: BootedAgentHost, policy: Partial<PatchPolicy>, scripts = {}) {
  await lockUpgrade(host, [adversary(scripts)]);
  const before = await takeFingerprint(host.booted);
  expect((await host.step("backup", { policy })).result.outcome).toBe("succeeded");
  const { result } = await host.step("install", { policy });
  return { before, result };
}

test("a trial that nobody commits ends by itself, without any network and across a reboot; a late commit is refused, the truth is told", {
  timeout: PATIENCE_MS,
}, async () => {
  const host = await bench.host();
  const { before, result } = await installed(host, { trialSeconds: 10 });
  const enabled = await host.run("systemctl", "is-enabled", "autopatch-watchdog.timer", "autopatch-recover.service");
  await host.booted.reboot();
  const afterReboot = journal(host).state;
  host.write("/run/systemd/system/autopatch-watchdog.timer.d/test.conf", EVERY_SECOND);
  await host.run("systemctl", "daemon-reload");
  await host.run("systemctl", "restart", "autopatch-watchdog.timer");

  await until(host, "rolledBack");
  const late = await host.step("commit");
  const { result: back } = await host.step("rollback");

  expect(result).toMatchObject({ outcome: "succeeded" });
  expect(enabled.stdout).toBe("enabled\nenabled\n");
  expect(afterReboot).toBe("trial");
  expect(journal(host)).toMatchObject({ reason: "nobody committed it within 10 s", comparison: { identical: true } });
  expect(late.result).toMatchObject({
    outcome: "failed",
    code: "noTransaction",
    message: expect.stringContaining("rolledBack"),
  });
  expect(back).toMatchObject({ outcome: "succeeded", data: { identical: true } });
  expect(compareFingerprints(before, await takeFingerprint(host.booted)).differences).toEqual([]);
  expect((await host.run("ls", `${HOST_PATHS.state}/trial.json`)).exitCode).not.toBe(0);
  expect(await history(host)).toContain('"runId": "run-1"');
  expect((await host.run("journalctl", "--quiet", "--unit=autopatch-watchdog")).stdout).toContain(
    "run run-1 was rolled back, since nobody committed it within 10 s: the host is what it was",
  );
});

test("a power loss in the middle of dpkg: the next boot brings back what was, before any service starts from it", {
  timeout: PATIENCE_MS,
}, async () => {
  const host = await bench.host();
  const hangs = "#!/bin/sh\necho spoilt > /var/lib/adversary/state\ntouch /run/configuring\nsleep 600\n";
  const service = serviceVersion("early", "1.0-1", { library: false });
  await lockUpgrade(host, [
    adversary({ postinst: hangs }),
    { old: service, next: serviceVersion("early", "2.0-1", { library: false }) },
  ]);
  const before = await takeFingerprint(host.booted);
  expect((await host.step("backup")).result.outcome).toBe("succeeded");
  const dying = host.step("install").catch(() => "no answer");
  for (const end = Date.now() + 120_000; Date.now() < end; await new Promise((resolve) => setTimeout(resolve, 200)))
    if ((await host.run("ls", "/run/configuring")).exitCode === 0) break;
  const interrupted = journal(host).state;

  await host.booted.reboot({ powerLoss: true });

  expect(await dying).toBe("no answer");
  expect(interrupted).toBe("applying");
  expect(journal(host)).toMatchObject({
    state: "rolledBack",
    reason: "interrupted in state applying",
    comparison: { identical: true },
  });
  expect(compareFingerprints(before, await takeFingerprint(host.booted)).differences).toEqual([]);
  expect((await startsOf(host, "early")).at(-1)).toBe("1.0-1");
  const ended = Number(await propertyOf(host, "autopatch-recover", "ExecMainExitTimestampMonotonic"));
  const started = Number(await propertyOf(host, "early", "ExecMainStartTimestampMonotonic"));
  expect(started).toBeGreaterThan(ended);
  expect(await propertyOf(host, "early", "ActiveState")).toBe("active");
});

test("a reboot that the change wants: only where the policy allows it, proven by another boot id, and the trial goes on", {
  timeout: PATIENCE_MS,
}, async () => {
  const host = await bench.host();
  const wants = "#!/bin/sh\ntouch /run/reboot-required\necho linux-base >> /run/reboot-required.pkgs\n";
  const { result } = await installed(host, {}, { postinst: wants });
  const { result: never } = await host.step("reboot");
  const request = encodeRequest(requestFor(host.id, "reboot", 77, { policy: { reboot: "whenRequired" } }));
  const asSsm = () =>
    host.booted.exec(HOST_PATHS.executable, ["step", "reboot", "--request", request], {
      deadlineMs: 120_000,
      env: { PATH, AWS_SSM_INSTANCE_ID: host.id, AWS_SSM_REGION_NAME: "eu-west-3" },
    });

  const first = await asSsm();
  await host.booted.reboot();
  const second = await asSsm();
  const third = await asSsm();
  const { result: validated } = await host.step("validate");
  const { result: committed } = await host.step("commit");

  expect(result).toMatchObject({ outcome: "rebootRequired" });
  expect(never).toMatchObject({ outcome: "succeeded", data: { rebooted: false, reasons: 1 } });
  expect(first).toMatchObject({ exitCode: 194, stdout: "" });
  expect(second.exitCode, second.stderr).toBe(0);
  expect(second.stdout).toContain('"rebooted":true');
  expect(decodeResult(third.stdout)).toEqual(decodeResult(second.stdout));
  expect(validated).toMatchObject({ outcome: "succeeded" });
  expect(committed).toMatchObject({ outcome: "succeeded" });
});
