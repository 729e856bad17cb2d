import { afterAll, beforeAll, expect, test } from "vitest";
import { HOST_PATHS } from "../../../contract/names.ts";
import { takeFingerprint } from "../../../local/hosts/fingerprint.ts";
import { compareFingerprints } from "../../../local/hosts/fingerprint-comparison.ts";
import { type Bench, openBench } from "../bench.ts";
import { adversary, lockUpgrade } from "./adversary.ts";

let bench: Bench;
beforeAll(async () => {
  bench = await openBench();
});
afterAll(() => bench.close());

test.each([
  ["bytes", "size=1m", [{ path: "/usr/lib/adversary/large", content: "x".repeat(4 << 20) }]],
  [
    "inodes",
    "size=8m,nr_inodes=24",
    Array.from({ length: 40 }, (_, i) => ({ path: `/usr/lib/adversary/small-${i}`, content: `${i}\n` })),
  ],
] as const)(
  "the disk has no %s left while dpkg unpacks: rolled back to exactly what was",
  async (_what, size, more) => {
    const host = await bench.host({ sources: [] });
    await host.run("mkdir", "/usr/lib/adversary");
    await host.run("mount", "-t", "tmpfs", "-o", `mode=0755,${size}`, "tmpfs", "/usr/lib/adversary");
    const { old, next } = adversary({});
    await lockUpgrade(host, [{ old, next: { ...next, files: [...next.files, ...more] } }, adversary({}, "bystander")]);
    const before = await takeFingerprint(host.sandbox);
    expect((await host.step("backup")).result.outcome).toBe("succeeded");

    const { exit, result } = await host.step("install");

    expect(result).toMatchObject({
      outcome: "failed",
      rolledBack: true,
      message: expect.stringContaining("No space left on device"),
    });
    expect(exit).not.toBe(0);
    expect(compareFingerprints(before, await takeFingerprint(host.sandbox)).differences).toEqual([]);
  },
);

test("the disk fills up at download: nothing half-fetched stays and there is no lock", async () => {
  const host = await bench.host();
  expect((await host.step("preflight")).result.outcome).toBe("succeeded");
  await host.run("mkdir", "-p", HOST_PATHS.work);
  // Room for folders, and for no file that is fetched.
  await host.run("mount", "-t", "tmpfs", "-o", "size=1m,mode=0755,nr_inodes=5", "tmpfs", HOST_PATHS.work);

  const { exit, result } = await host.step("download");

  expect(result).toMatchObject({ outcome: "failed", message: expect.stringMatching(/[Nn]o space left on device/) });
  expect(exit).not.toBe(0);
  const found = await host.run("find", HOST_PATHS.work, "-path", "*partial*", "-o", "-name", "locked_versions*");
  expect(found.stdout).toBe("");
  await host.run("umount", HOST_PATHS.work);
  expect((await host.step("download")).result).toMatchObject({ outcome: "succeeded", data: { packages: 5 } });
});
