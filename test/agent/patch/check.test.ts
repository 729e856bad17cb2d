import { afterAll, beforeAll, expect, test } from "vitest";
import { HOST_PATHS } from "../../../contract/names.ts";
import type { StepName } from "../../../contract/steps.ts";
import { takeFingerprint } from "../../../local/hosts/fingerprint.ts";
import { compareFingerprints } from "../../../local/hosts/fingerprint-comparison.ts";
import { type AgentHost, type Bench, openBench } from "../bench.ts";

let bench: Bench;
beforeAll(async () => {
  bench = await openBench();
});
afterAll(() => bench.close());

async function done(host: AgentHost, ...steps: readonly StepName[]) {
  for (const step of steps) {
    const { result } = await host.step(step);
    expect(result, JSON.stringify(result)).toMatchObject({ step, outcome: "succeeded" });
  }
}

test("a host that fails minutes after its commit says so when it is asked once more, and can still go back exactly", async () => {
  const host = await bench.host();
  // Healthy until something of the new version gives up.
  host.write(
    `${HOST_PATHS.healthChecks}/queue`,
    "#!/bin/sh\n[ ! -e /run/queue-full ] || { echo queue is full; exit 1; }\n",
    0o755,
  );
  await done(host, "preflight", "download", "verify");
  const before = await takeFingerprint(host.sandbox);
  const early = await host.step("check");
  await done(host, "backup", "install");
  const onTrial = await host.step("check");
  await done(host, "validate", "commit", "check");
  host.write("/run/queue-full", "");

  const sick = await host.step("check");
  const dry = await host.step("check", { dryRun: true });
  const { result: back } = await host.step("rollback");
  const afterwards = await host.step("check");

  expect(early.result).toMatchObject({
    code: "noTransaction",
    message: expect.stringContaining("no change was ever begun"),
  });
  expect(onTrial.result).toMatchObject({
    code: "noTransaction",
    message: expect.stringContaining("run run-1 is trial"),
  });
  expect([sick.exit, sick.result]).toMatchObject([
    11,
    { step: "check", outcome: "failed", code: "unhealthy", message: "queue: exit 1: queue is full" },
  ]);
  expect(dry.result.outcome).toBe("nothingToDo");
  expect(back).toMatchObject({ outcome: "succeeded", data: { identical: true, differences: 0 } });
  expect(compareFingerprints(before, await takeFingerprint(host.sandbox)).differences).toEqual([]);
  expect(afterwards.result).toMatchObject({ code: "noTransaction", message: expect.stringContaining("rolledBack") });
});
