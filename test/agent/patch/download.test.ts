import { readdirSync, statSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, expect, test } from "vitest";
import { parseLock } from "../../../contract/lock.ts";
import { HOST_PATHS } from "../../../contract/names.ts";
import { inside } from "../../../local/hosts/inside.ts";
import { type AgentHost, type Bench, openBench } from "../bench.ts";

let bench: Bench;
beforeAll(async () => {
  bench = await openBench();
});
afterAll(() => bench.close());

const archives = (host: AgentHost) => readdirSync(inside(host.root, HOST_PATHS.archives)).sort();
const violationLines = (host: AgentHost) =>
  host.read(`${HOST_PATHS.logs}/autopatch-manager.log`).match(/SÉCURITÉ COMPROMISE/g)?.length ?? 0;

const FILES = [
  "libreport2_2.0-1_all.deb",
  "metricsd_2.0-1_all.deb",
  "reportd_2.0-1_all.deb",
  "webapp-common_2.0-1_all.deb",
  "webapp_2.0-1_all.deb",
];

test("exactly the planned files are fetched and locked, what is right is kept and what is stale is removed", async () => {
  const host = await bench.host();
  await host.step("preflight");
  const { exit, result } = await host.step("download", { policy: { critical: ["webapp"] } });
  expect(exit).toBe(0);
  const lock = parseLock(host.read(HOST_PATHS.lock));
  expect(result).toMatchObject({
    outcome: "succeeded",
    data: {
      packages: 5,
      removals: 0,
      security: 0,
      bytes: lock.entries.reduce((sum, e) => sum + e.size, 0),
      critical: ["webapp", "webapp-common"],
    },
  });
  expect(archives(host)).toEqual(FILES);
  expect(lock.entries.map((e) => [e.name, e.architecture, e.from, e.version])).toEqual([
    ["libreport2", "all", null, "2.0-1"],
    ["metricsd", "all", "1.0-1", "2.0-1"],
    ["reportd", "all", "1.0-1", "2.0-1"],
    ["webapp", "all", "1.0-1", "2.0-1"],
    ["webapp-common", "all", "1.0-1", "2.0-1"],
  ]);
  expect(host.read(HOST_PATHS.packagesToInstall)).toBe(
    "libreport2 2.0-1 all\nmetricsd 2.0-1 all\nreportd 2.0-1 all\nwebapp 2.0-1 all\nwebapp-common 2.0-1 all\n",
  );
  const checked = await host.run("sh", "-c", `cd ${HOST_PATHS.work} && sha256sum --strict -c locked_versions.txt`);
  expect(checked.stdout).toBe(
    FILES.map((name) => `archives/${name}: OK\n`)
      .sort(byPackage)
      .join(""),
  );

  const kept = inside(host.root, `${HOST_PATHS.archives}/webapp_2.0-1_all.deb`);
  const inode = statSync(kept).ino;
  writeFileSync(inside(host.root, `${HOST_PATHS.archives}/webapp_1.9-1_all.deb`), "stale");
  expect((await host.step("download")).result.outcome).toBe("succeeded");
  expect(archives(host)).toEqual(FILES);
  expect(statSync(kept).ino).toBe(inode);
  expect(readdirSync(inside(host.root, HOST_PATHS.work)).sort()).toEqual([
    "archives",
    "locked_versions.txt",
    "packages_to_install.log",
  ]);
  await host.close();
});

const byPackage = (a: string, b: string) => ((a.split("_")[0] ?? "") < (b.split("_")[0] ?? "") ? -1 : 1);

test("a dry run writes the same lock and fetches nothing; nothing can be verified for installing by it", async () => {
  const host = await bench.host();
  await host.step("preflight");
  const { result } = await host.step("download", { dryRun: true });
  expect(result).toMatchObject({ outcome: "succeeded", dryRun: true, data: { packages: 5 } });
  expect(archives(host)).toEqual([]);
  expect(parseLock(host.read(HOST_PATHS.lock)).entries).toHaveLength(5);
  expect((await host.step("verify", { dryRun: true })).result).toMatchObject({ outcome: "succeeded" });
  expect((await host.step("verify")).result).toMatchObject({
    outcome: "failed",
    code: "lockMissing",
    message: `${HOST_PATHS.lock} was written by a dry run: nothing was downloaded`,
  });
  await host.close();
});

test("held and pinned packages are left out with their reasons", async () => {
  const host = await bench.host();
  await host.run("apt-mark", "hold", "reportd");
  host.write(
    "/etc/apt/preferences.d/webapp",
    "Package: webapp webapp-common\nPin: version 1.0-1\nPin-Priority: 1001\n",
  );
  await host.step("preflight");
  expect((await host.step("download", { policy: { operation: "auto-update" } })).result).toMatchObject({
    outcome: "succeeded",
    data: { packages: 1 },
  });
  expect(host.report("download").plan?.leftOut).toEqual([
    {
      name: "reportd",
      installed: "1.0-1",
      candidate: "2.0-1",
      reason: "held",
      message: "on hold: apt-mark unhold releases it",
    },
    {
      name: "webapp",
      installed: "1.0-1",
      candidate: "2.0-1",
      reason: "pinned",
      message: "a preference gives 2.0-1 priority 500; 1.0-1 is chosen",
    },
    {
      name: "webapp-common",
      installed: "1.0-1",
      candidate: "2.0-1",
      reason: "pinned",
      message: "a preference gives 2.0-1 priority 500; 1.0-1 is chosen",
    },
  ]);
  await host.close();
});

test("a .deb of the same size with other bytes is refused, marked once, and leaves no lock", async () => {
  const host = await bench.host();
  const mirror = await mirrorOf(bench.repository.url, (path, bytes) => {
    if (path.endsWith("/webapp_2.0-1_all.deb")) bytes.writeUInt8(bytes.readUInt8(100) ^ 1, 100);
    return { status: 200, bytes };
  });
  useMirror(host, mirror.url);
  await host.step("preflight");
  const { exit, result } = await host.step("download");
  await mirror.close();
  expect(result).toMatchObject({ outcome: "failed", code: "hashMismatch", retryable: false });
  expect("message" in result && result.message).toMatch(
    /^webapp 2\.0-1 from http:\/\/127\.0\.0\.1:\d+\/pool\/webapp_2\.0-1_all\.deb: /,
  );
  expect(exit).toBe(8);
  expect(violationLines(host)).toBe(1);
  expect(archives(host)).not.toContain("webapp_2.0-1_all.deb");
  expect((await host.step("verify")).result).toMatchObject({ code: "lockMissing" });
  await host.close();
});

test("data without end is cut at the locked size, and nothing of it stays", async () => {
  const host = await bench.host();
  const mirror = await mirrorOf(bench.repository.url, (path, bytes) => ({
    status: 200,
    bytes: path.endsWith("/webapp_2.0-1_all.deb") ? Buffer.alloc(64 * 1024 * 1024) : bytes,
    chunked: true,
  }));
  useMirror(host, mirror.url);
  await host.step("preflight");
  const { result } = await host.step("download");
  await mirror.close();
  expect(result).toMatchObject({ outcome: "failed", code: "hashMismatch" });
  expect("message" in result && result.message).toMatch(
    /^webapp 2\.0-1 from .*: the server sent more than the \d+ bytes its index promised$/,
  );
  expect(readdirSync(inside(host.root, HOST_PATHS.work))).toEqual(["archives"]);
  expect(archives(host)).not.toContain("webapp_2.0-1_all.deb");
  await host.close();
});

test("a mirror that is busy once is asked again; one that has not got the file is not", async () => {
  const host = await bench.host();
  let asked = 0;
  const mirror = await mirrorOf(bench.repository.url, (path, bytes) => {
    if (!path.endsWith("/webapp_2.0-1_all.deb")) return { status: 200, bytes };
    return ++asked === 1 ? { status: 503, bytes: Buffer.alloc(0) } : { status: asked === 2 ? 200 : 404, bytes };
  });
  useMirror(host, mirror.url);
  await host.step("preflight");
  expect((await host.step("download")).result).toMatchObject({ outcome: "succeeded", data: { packages: 5 } });
  expect(asked).toBe(2);
  await host.run("rm", `${HOST_PATHS.archives}/webapp_2.0-1_all.deb`);
  const { exit, result } = await host.step("download");
  await mirror.close();
  expect(asked).toBe(3);
  expect(result).toMatchObject({ outcome: "failed", code: "downloadFailed" });
  expect("message" in result && result.message).toMatch(/404 .*\(permanent\)$/);
  expect(exit).toBe(7);
  await host.close();
});

function useMirror(host: AgentHost, url: string): void {
  const path = "/etc/apt/sources.list.d/autopatch-sample.sources";
  host.write(path, host.read(path).replace(/^URIs: .*$/m, `URIs: ${url}`));
}

/** The repository through a server that may change what it answers. */
async function mirrorOf(
  url: string,
  change: (path: string, bytes: Buffer) => { status: number; bytes: Buffer; chunked?: boolean },
): Promise<{ url: string; close(): Promise<void> }> {
  const server = createServer(async (request, response) => {
    const path = request.url ?? "/";
    const answer = await fetch(new URL(path.slice(1), url));
    if (!answer.ok) return void response.writeHead(answer.status).end();
    const { status, bytes, chunked = false } = change(path, Buffer.from(await answer.arrayBuffer()));
    response.writeHead(status, chunked ? {} : { "content-length": bytes.length });
    response.end(bytes);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
