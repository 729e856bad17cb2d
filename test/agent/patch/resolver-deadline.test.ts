import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { preferencesFile } from "../../../agent/host/apt-settings.ts";
import { systemClock } from "../../../agent/host/clock.ts";
import { dpkgPackages } from "../../../agent/host/dpkg.ts";
import { type Exec, exec } from "../../../agent/host/exec.ts";
import { resolvePlan } from "../../../agent/patch/resolver.ts";
import { DEFAULT_POLICY } from "../../../contract/request.ts";

test.each(["dpkg-query", "apt-config"])(
  "%s that hangs has said nothing, and is no defect of the agent",
  async (program) => {
    const root = mkdtempSync(join(tmpdir(), "autopatch-hanging-"));
    const hanging: Exec = (file, args, options) =>
      file === program ? exec("sleep", ["60"], { ...options, deadlineMs: 200 }) : exec(file, args, options);
    const silent = () => {};
    const log = { info: silent, warn: silent, error: silent, violation: silent };
    const machine = { exec: hanging, clock: systemClock, log, root };
    const asked = program === "apt-config" ? preferencesFile(machine) : dpkgPackages(machine);
    await expect(asked).rejects.toMatchObject({ code: "programKilled" });
    rmSync(root, { recursive: true, force: true });
  },
);

test("a resolver that hangs is ended at its deadline, and the plan fails with that", async () => {
  const root = mkdtempSync(join(tmpdir(), "autopatch-hanging-"));
  const deadlines = new Set<number>();
  // A real process that does not end stands where apt-get is called; its two minutes pass in a fifth of a second.
  const hanging: Exec = (file, args, options) => {
    if (file !== "apt-get") return exec(file, args, options);
    deadlines.add(options.deadlineMs);
    return exec("sleep", ["60"], { ...options, deadlineMs: options.deadlineMs / 600 });
  };
  const silent = () => {};
  const log = { info: silent, warn: silent, error: silent, violation: silent };
  const began = Date.now();
  await expect(resolvePlan({ exec: hanging, clock: systemClock, log, root }, DEFAULT_POLICY)).rejects.toMatchObject({
    code: "resolverTimedOut",
    message: expect.stringMatching(/^apt-get .*did not end within 120 s$/),
  });
  rmSync(root, { recursive: true, force: true });
  expect([...deadlines]).toEqual([120_000]);
  expect(Date.now() - began).toBeLessThan(10_000);
});
