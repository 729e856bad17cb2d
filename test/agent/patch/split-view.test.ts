import { mkdtempSync, readFileSync, renameSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { HOST_PATHS } from "../../../contract/names.ts";
import type { SamplePackage } from "../../../local/hosts/sample/package.ts";
import { openSampleRepository, type SampleRepository } from "../../../local/hosts/sample/repository.ts";
import { type FolderServer, serveFolder } from "../../../local/hosts/sample/server.ts";
import { type AgentHost, type Bench, openBench } from "../bench.ts";
import { adversary, lockUpgrade } from "./adversary.ts";

const { old, next } = adversary({});
const KEYRING = "/etc/apt/keyrings/mirror.gpg";
/** What the mirror showed first: an hour ago. */
const FIRST = new Date(Math.floor(Date.now() / 1_000) * 1_000 - 3_600_000);

let bench: Bench;
let folder: string;
let mirror: FolderServer;
const repositories: SampleRepository[] = [];
let host: AgentHost;

beforeAll(async () => {
  bench = await openBench();
  folder = mkdtempSync(join(tmpdir(), "autopatch-split-"));
  mirror = await serveFolder(join(folder, "current"));
  host = await bench.host({ sources: [] });
  const source = `Types: deb\nURIs: ${mirror.url}\nSuites: stable\nComponents: main\nSigned-By: ${KEYRING}\n`;
  host.write("/etc/apt/sources.list.d/mirror.sources", source);
  await lockUpgrade(host, [{ old, next }]);
  await show(FIRST);
  for (const step of ["preflight", "download", "verify"] as const)
    expect((await host.step(step)).result).toMatchObject({ outcome: "succeeded" });
});
afterAll(async () => {
  await mirror.close();
  for (const one of repositories) await one.close();
  await bench.close();
  rmSync(folder, { recursive: true, force: true });
});

/** From now on the mirror, at the same address, shows a repository of this date; the host trusts all their keys and has no lists. */
async function show(date: Date, packages: readonly SamplePackage[] = [old, next]): Promise<void> {
  const repository = await openSampleRepository({ folder: mkdtempSync(join(folder, "repository-")), date, packages });
  repositories.push(repository);
  host.write(KEYRING, Buffer.concat(repositories.map(({ keyring }) => readFileSync(keyring))));
  symlinkSync(repository.folder, join(folder, "next"));
  renameSync(join(folder, "next"), join(folder, "current"));
  await host.run("sh", "-c", "rm -rf /var/lib/apt/lists/*");
}

const hours = (number: number) => new Date(FIRST.getTime() + number * 3_600_000);

test("what was accepted is written down, and told in the result and in the report", async () => {
  const { result } = await host.step("verify");
  const repository = `${mirror.url}dists/stable/`;
  const accepted = JSON.parse(host.read(`${HOST_PATHS.state}/releases.json`)).repositories;

  expect(host.report("verify").releases).toEqual([
    { repository, suite: "stable", date: FIRST.toISOString(), sha256: accepted[repository][0].sha256 },
  ]);
  expect(result).toMatchObject({
    data: {
      seen: [
        {
          repository: repository.replace("http://", ""),
          date: FIRST.getTime() / 1_000,
          sha: accepted[repository][0].sha256.slice(0, 16),
        },
      ],
    },
  });
  expect(Object.keys(accepted)).toEqual([repository]);
});

test("a mirror that is some hours behind is no replay; one that is further behind is, even with its lists gone", async () => {
  await show(hours(-20));
  await host.step("preflight");
  const behind = await host.step("verify");
  await show(hours(-30));
  await host.step("preflight");
  const replayed = await host.step("verify");

  expect(behind.result).toMatchObject({ outcome: "succeeded" });
  expect(replayed.result).toMatchObject({ outcome: "failed", code: "metadataStale", retryable: false });
  expect("message" in replayed.result && replayed.result.message).toMatch(
    /dists\/stable\/: its Release of .* is older than the one of .* accepted on .*; mirrors may be 24 hours behind each other\. If that is meant, take the repository out of \/var\/lib\/autopatch\/releases\.json$/,
  );
  expect(host.read(`${HOST_PATHS.logs}/autopatch-manager.log`)).toContain("SÉCURITÉ COMPROMISE: metadataStale: http");
});

test("another Release of the same date, signed by a trusted key, is a split view", async () => {
  await show(FIRST, [old]);
  await host.step("preflight");
  const { exit, result } = await host.step("verify");

  expect(result).toMatchObject({ outcome: "failed", code: "splitView", retryable: false });
  expect("message" in result && result.message).toMatch(/the one of the same date accepted on .* had [0-9a-f]{64}/);
  expect(exit).toBe(8);
  expect(host.read(`${HOST_PATHS.logs}/autopatch-manager.log`)).toContain("SÉCURITÉ COMPROMISE: splitView: http");
});

test("a version this host saw with other bytes before is refused, though it is newly planned, signed and downloaded", async () => {
  const door = { ...next, files: [...next.files, { path: "/usr/lib/adversary/door", content: "open\n" }] };
  await show(hours(0.5), [old, door]);
  const prepared = [(await host.step("preflight")).result.outcome, (await host.step("download")).result.outcome];
  const { result } = await host.step("verify");

  expect(prepared).toEqual(["succeeded", "succeeded"]);
  expect(result).toMatchObject({ outcome: "failed", code: "splitView" });
  expect("message" in result && result.message).toMatch(
    /^adversary 2\.0-1: its SHA-256 was [0-9a-f]{64} when this host saw it on .*, now it is [0-9a-f]{64}\. A version never changes its bytes/,
  );
});
