import { mkdtempSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { parseLock } from "../../../contract/lock.ts";
import { HOST_PATHS } from "../../../contract/names.ts";
import { NEW, OLD, SAMPLE_PACKAGES } from "../../../local/hosts/sample/packages.ts";
import { openSampleRepository } from "../../../local/hosts/sample/repository.ts";
import { type AgentHost, type Bench, type Changes, openBench } from "../bench.ts";

let bench: Bench;
beforeAll(async () => {
  bench = await openBench();
});
afterAll(async () => bench.close());

const SEEN = `${HOST_PATHS.state}/first-seen.json`;

/** What a download locked, and what it left out with which reason. */
async function plan(host: AgentHost, policy: Changes["policy"], runId = "run-1") {
  const { result } = await host.step("download", { runId, dryRun: true, policy: policy ?? {} });
  expect(["succeeded", "nothingToDo"], JSON.stringify(result)).toContain(result.outcome);
  const leftOut = host.report("download", runId).plan?.leftOut ?? [];
  return {
    locked: parseLock(host.read(HOST_PATHS.lock)).entries.map((e) => `${e.name} ${e.version}`),
    leftOut: leftOut.map((l) => `${l.name} ${l.candidate} ${l.reason}`),
    messages: Object.fromEntries(leftOut.map((l) => [l.name, l.message])),
  };
}

test.each(["auto-update", "full-update"] as const)(
  "%s: what is denied stays, and so does the chain it blocks",
  async (operation) => {
    const host = await bench.host();
    await host.step("preflight");
    const { locked, leftOut, messages } = await plan(host, { operation, deny: ["webapp-c*", "libreport2"] });
    expect(locked).toEqual([`metricsd ${NEW}`]);
    expect(leftOut).toEqual([`reportd ${NEW} unresolved`, `webapp ${NEW} unresolved`, `webapp-common ${NEW} denied`]);
    expect(messages["webapp-common"]).toBe("the policy denies webapp-c*");
    expect(messages.webapp).toMatch(/^blocked by webapp-common \(denied\): .*webapp-common \(= 2\.0-1\)/);
    expect(messages.reportd).toMatch(/^blocked by libreport2 \(denied\): /);
    await host.close();
  },
);

test("what needs a removal waits for full-update, which names both; no source is edited", async () => {
  const host = await bench.host();
  const folder = mkdtempSync(join(tmpdir(), "autopatch-conflict-"));
  const [reportd] = SAMPLE_PACKAGES.filter((p) => p.name === "reportd" && p.version === NEW);
  if (reportd === undefined) throw new Error("no sample");
  // metricsd's new version needs libmetrics1 no longer.
  const conflicting = { ...reportd, version: "3.0-1", fields: { Conflicts: "libmetrics1" } };
  const other = await openSampleRepository({ folder, date: new Date(), packages: [conflicting] });
  host.write("/etc/apt/keyrings/other.gpg", readFileSync(other.keyring));
  const line = `deb [signed-by=/etc/apt/keyrings/other.gpg] ${other.url} stable main\n`;
  host.write("/etc/apt/sources.list", line);
  const deb822 = host.read("/etc/apt/sources.list.d/autopatch-sample.sources");
  await host.step("preflight");
  const careful = await plan(host, { operation: "auto-update", critical: ["reportd"] });
  const full = await host.step("download", { runId: "run-2", dryRun: true, policy: { operation: "full-update" } });
  const planned = host.report("download", "run-2").plan;
  await other.close();
  expect(careful.locked).toEqual([`metricsd ${NEW}`, `webapp ${NEW}`, `webapp-common ${NEW}`]);
  expect(careful.leftOut).toEqual(["reportd 3.0-1 needsRemoval"]);
  expect(careful.messages.reportd).toBe("needs the removal of libmetrics1: full-update does it");
  expect(full.result).toMatchObject({ data: { packages: 4, removals: 1, critical: [] } });
  expect(planned?.removals).toEqual([{ name: "libmetrics1", architecture: "all", version: OLD }]);
  expect(planned?.packages.map((p) => `${p.name} ${p.version}`)).toContain("reportd 3.0-1");
  expect(host.read("/etc/apt/sources.list")).toBe(line);
  expect(host.read("/etc/apt/sources.list.d/autopatch-sample.sources")).toBe(deb822);
  await host.close();
});

test("what is denied is not installed either: the closed world is the lock, and the rest goes in", async () => {
  const host = await bench.host();
  const policy = { deny: ["webapp*"] };
  for (const step of ["preflight", "download", "verify", "backup", "install"] as const) {
    const { result } = await host.step(step, { policy });
    expect(result.outcome, JSON.stringify(result)).toBe("succeeded");
  }
  const { stdout } = await host.run(
    "dpkg-query",
    "-W",
    "-f",
    "${Package} ${Version}\n",
    "metricsd",
    "reportd",
    "webapp",
  );
  expect(stdout).toBe(`metricsd ${NEW}\nreportd ${NEW}\nwebapp ${OLD}\n`);
  await host.close();
});

test("only what is allowed is updated, with what it newly needs; the host's own preferences stay in force", async () => {
  const host = await bench.host();
  await host.step("preflight");
  host.write("/etc/apt/preferences", `Package: metricsd\nPin: version ${NEW}\nPin-Priority: -5\n`);
  host.write("/etc/apt/preferences.d/up", `Package: webapp\nPin: version ${NEW}\nPin-Priority: 1001\n`);
  const { locked, leftOut, messages } = await plan(host, { allow: ["reportd", "metricsd"] });
  expect(locked).toEqual([`libreport2 ${NEW}`, `reportd ${NEW}`]);
  expect(leftOut).toEqual([`metricsd ${NEW} pinned`, `webapp ${NEW} notAllowed`, `webapp-common ${NEW} notAllowed`]);
  expect(messages.webapp).toBe("the policy allows only reportd, metricsd");
  await host.close();
});

test("security only: the version of the security pocket, though a later one is offered elsewhere", async () => {
  const host = await bench.host();
  const folder = mkdtempSync(join(tmpdir(), "autopatch-security-"));
  const fixed = SAMPLE_PACKAGES.filter((p) => p.name.startsWith("webapp") && p.version === OLD).map((p) => ({
    ...p,
    version: "1.5-1",
    fields: { ...p.fields, ...(p.name === "webapp" ? { Depends: "webapp-common (= 1.5-1)" } : {}) },
  }));
  const security = await openSampleRepository({ folder, date: new Date(), packages: fixed });
  symlinkSync("stable", join(folder, "dists", "stable-security"));
  host.write("/etc/apt/keyrings/security.gpg", readFileSync(security.keyring));
  host.write(
    "/etc/apt/sources.list.d/security.list",
    `deb [signed-by=/etc/apt/keyrings/security.gpg] ${security.url} stable-security main\n`,
  );
  await host.step("preflight");
  const { locked, leftOut } = await plan(host, { securityOnly: true });
  await security.close();
  rmSync(folder, { recursive: true, force: true });
  expect(locked).toEqual(["webapp 1.5-1", "webapp-common 1.5-1"]);
  expect(leftOut).toEqual(
    ["metricsd", "reportd", "webapp", "webapp-common"].map((name) => `${name} ${NEW} notSecurity`),
  );
  await host.close();
});

test("a minimum age counts from when this host first saw the bytes; a refresh does not begin it anew", async () => {
  const host = await bench.host();
  await host.step("preflight");
  const policy = { minimumAgeDays: 7 };
  const young = await plan(host, policy);
  expect(young.locked).toEqual([]);
  expect(young.leftOut).toEqual(
    ["metricsd", "reportd", "webapp", "webapp-common"].map((name) => `${name} ${NEW} tooYoung`),
  );
  expect(young.messages.webapp).toMatch(/^this host first saw it at 20.*Z; the policy waits 7 days, until 20.*Z$/);
  age(host, 8, (key) => !/^(libreport2|metricsd) /.test(key));
  expect((await host.run("apt-get", "update")).exitCode).toBe(0);
  const aged = await plan(host, policy, "run-2");
  // libreport2 is young still: what newly needs it waits for it.
  expect(aged.locked).toEqual([`webapp ${NEW}`, `webapp-common ${NEW}`]);
  expect(aged.leftOut).toEqual([`metricsd ${NEW} tooYoung`, `reportd ${NEW} unresolved`]);
  expect(aged.messages.reportd).toMatch(/libreport2/);
  age(host, 8, (key) => /^(libreport2|metricsd) /.test(key));
  const ripe = await plan(host, policy, "run-3");
  expect(ripe.leftOut).toEqual([]);
  expect(ripe.locked).toHaveLength(5);
  await host.close();
});

/** Makes the host have seen some versions earlier than it did. */
function age(host: AgentHost, days: number, which: (key: string) => boolean): void {
  const seen = Object.entries(JSON.parse(host.read(SEEN)) as Record<string, number>);
  const older = seen.map(([key, at]) => [key, which(key) ? at - days * 86_400_000 : at]);
  host.write(SEEN, JSON.stringify(Object.fromEntries(older)), 0o600);
}
