import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { systemClock } from "../../../agent/host/clock.ts";
import { exec } from "../../../agent/host/exec.ts";
import { fetchDeb, openPartial } from "../../../agent/host/fetch-deb.ts";
import { HOST_PATHS } from "../../../contract/names.ts";
import { inside, writeInside } from "../../../local/hosts/inside.ts";
import type { SamplePackage } from "../../../local/hosts/sample/package.ts";
import { openSampleRepository, type SampleRepository } from "../../../local/hosts/sample/repository.ts";
import { sampleSources } from "../../../local/hosts/sources.ts";
import { type AgentHost, type Bench, openBench } from "../bench.ts";
import { adversary, lockUpgrade } from "./adversary.ts";

let bench: Bench;
let folder: string;
beforeAll(async () => {
  bench = await openBench();
  folder = mkdtempSync(join(tmpdir(), "autopatch-mirror-"));
});
afterAll(async () => {
  rmSync(folder, { recursive: true, force: true });
  await bench.close();
});

const { old, next } = adversary({});

/** Runs what is given while the host's one repository, signed and trusted, has these packages. */
async function withMirror<T>(host: AgentHost, packages: readonly SamplePackage[], then: () => Promise<T>): Promise<T> {
  const repository: SampleRepository = await openSampleRepository({
    folder: mkdtempSync(join(folder, "repository-")),
    date: new Date(),
    packages,
  });
  try {
    host.write("/etc/apt/keyrings/autopatch-sample.gpg", readFileSync(repository.keyring));
    host.write("/etc/apt/sources.list.d/adversary.sources", sampleSources(repository));
    const update = await host.run("apt-get", "update");
    expect(update.exitCode, update.stderr).toBe(0);
    return await then();
  } finally {
    await repository.close();
  }
}

async function downloaded(host: AgentHost): Promise<void> {
  await lockUpgrade(host, [{ old, next }]);
  await withMirror(host, [old, next], async () => {
    for (const step of ["download", "verify"] as const) {
      const { result } = await host.step(step);
      expect(result, JSON.stringify(result)).toMatchObject({ outcome: "succeeded" });
    }
  });
}

test("the same version with another hash, signed by the trusted key: refused and marked", async () => {
  const host = await bench.host({ sources: [] });
  await downloaded(host);
  const other = { ...next, files: [...next.files, { path: "/usr/lib/adversary/door", content: "open\n" }] };

  const { exit, result } = await withMirror(host, [old, other], () => host.step("verify"));

  expect(result).toMatchObject({
    outcome: "failed",
    code: "hashMismatch",
    retryable: false,
    message: expect.stringMatching(
      /^adversary 2\.0-1: the signed index says SHA-256 [0-9a-f]{64} .*, the lock [0-9a-f]{64} /,
    ),
  });
  expect(exit).toBe(8);
  expect(host.read(`${HOST_PATHS.logs}/autopatch-manager.log`)).toContain(
    "SÉCURITÉ COMPROMISE: hashMismatch: adversary",
  );
});

test("superseded after it was locked: the stored copy is installed, and not the latest", async () => {
  const host = await bench.host({ sources: [] });
  await downloaded(host);
  const latest = { ...next, version: "3.0-1" };

  const outcomes = await withMirror(host, [latest], async () => {
    const steps = [];
    for (const step of ["backup", "install", "commit"] as const) steps.push((await host.step(step)).result.outcome);
    return steps;
  });

  const policy = await host.run("apt-cache", "policy", "adversary");
  expect(outcomes).toEqual(["succeeded", "succeeded", "succeeded"]);
  expect(policy.stdout).toMatch(/Installed: 2\.0-1\n {2}Candidate: 3\.0-1\n/);
});

test("an extra dependency that the lock does not have: it stops before anything is changed", async () => {
  const host = await bench.host({ sources: [] });
  const needy = { ...next, fields: { Depends: "newcomer" } };
  await lockUpgrade(host, [{ old, next: needy }]);
  const newcomer = { ...next, name: "newcomer", files: [{ path: "/opt/newcomer", content: "" }], conffiles: [] };

  const { result } = await withMirror(host, [newcomer], async () => {
    await host.step("backup");
    return host.step("install");
  });
  const installed = await host.run("dpkg-query", "-W", "-f=${Package} ${Version};", "adversary", "newcomer");

  expect(result).toMatchObject({ outcome: "failed", code: "outsideLock", rolledBack: false });
  expect(installed.stdout).toBe("adversary 1.0-1;");
});

test("a mirror that sends a byte now and then is left at the deadline, and nothing of it stays", async () => {
  const server = createServer((_request, response) => {
    response.writeHead(200, { "content-length": 10_000 });
    const drip = setInterval(() => response.write("x"), 100);
    response.once("close", () => clearInterval(drip));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const root = mkdtempSync(join(folder, "root-"));
  writeInside(root, "/etc/passwd", "root:x:0:0::/root:/bin/sh\n");
  writeInside(root, "/var/tmp/.keep", "");
  const silent = () => {};
  const log = { info: silent, warn: silent, error: silent, violation: silent };
  const machine = { exec, clock: systemClock, root, log };
  openPartial(machine);
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/slow.deb`;
  const file = "slow_1_all.deb";
  const entry = {
    name: "slow",
    architecture: "all",
    version: "1",
    from: null,
    sha256: "0".repeat(64),
    size: 10_000,
    file,
  };
  try {
    await expect(fetchDeb(machine, url, entry, 1_500)).rejects.toMatchObject({
      code: "downloadFailed",
      message: `slow 1 from ${url}: not done within 2 s`,
    });
    const left = await exec("find", [inside(root, HOST_PATHS.work), "-type", "f"], { deadlineMs: 5_000 });
    expect(left.stdout).toBe("");
  } finally {
    server.closeAllConnections();
    server.close();
  }
});
