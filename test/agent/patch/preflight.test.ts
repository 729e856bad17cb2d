import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { decodeResult } from "../../../contract/frame.ts";
import { HOST_PATHS } from "../../../contract/names.ts";
import { encodeRequest } from "../../../contract/request.ts";
import { type AgentHost, type Bench, holdLock, openBench, RUN, requestFor } from "../bench.ts";

let bench: Bench;
let host: AgentHost;
beforeAll(async () => {
  bench = await openBench();
  host = await bench.host();
});
afterAll(() => bench.close());

test("a host with updates says what is pending and how it stands", async () => {
  const { exit, result } = await host.step("preflight");
  expect(exit).toBe(0);
  expect(result).toMatchObject({
    contractVersion: 1,
    step: "preflight",
    runId: RUN,
    instanceId: host.id,
    bootId: host.sandbox.bootId,
    dryRun: false,
    reportKey: null,
    outcome: "succeeded",
    data: {
      release: "bookworm",
      architecture: "amd64",
      pending: 5,
      downloadBytes: expect.any(Number),
      figures: { totalPackages: 101, backupCount: 0, diskUsagePercent: expect.any(Number), securityViolations: 0 },
    },
  });
});

test("a host without updates has nothing to do", async () => {
  const bare = await bench.host({ role: "plain" });
  await bare.run("apt-mark", "hold", "webapp", "webapp-common", "reportd", "metricsd");
  const { exit, result } = await bare.step("preflight");
  expect(exit).toBe(0);
  expect(result).toMatchObject({ outcome: "nothingToDo", message: "no updates are pending" });
  expect(bare.report("preflight").plan?.leftOut.map((l) => [l.name, l.reason])).toEqual([
    ["metricsd", "held"],
    ["reportd", "held"],
    ["webapp", "held"],
    ["webapp-common", "held"],
  ]);
  await bare.close();
});

describe("what keeps a host from being patched is named", () => {
  test("a lock that another program holds, with its name and pid, after a bounded wait", async () => {
    const holder = await holdLock(host, "/var/lib/dpkg/lock-frontend");
    const { exit, result } = await host.step("preflight", { policy: { lockWaitSeconds: 1 } });
    await holder.release();
    expect(result).toMatchObject({
      outcome: "failed",
      code: "packageLockHeld",
      retryable: true,
      message: `/var/lib/dpkg/lock-frontend is held by perl (process ${holder.pid}); waited 1 s for it`,
    });
    expect(exit).toBe(5);
  });

  test("a half-configured package", async () => {
    const before = host.read("/var/lib/dpkg/status");
    const changed = before.replace(/(Package: reportd\nStatus: install ok )installed/, "$1half-configured");
    expect(changed).not.toBe(before);
    host.write("/var/lib/dpkg/status", changed);
    const { exit, result } = await host.step("preflight");
    host.write("/var/lib/dpkg/status", before);
    expect(result).toMatchObject({
      outcome: "failed",
      code: "packagesHalfConfigured",
      message: "reportd 1.0-1 is half-configured: dpkg --configure -a finishes them",
    });
    expect(exit).toBe(6);
  });

  test("a disk that is too small for the plan, and one that is too full", async () => {
    await host.run("mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", "/var/tmp");
    const small = await host.step("preflight");
    await host.run("dd", "if=/dev/zero", "of=/var/tmp/filler", "bs=1M", "count=7");
    const full = await host.step("preflight");
    await host.run("umount", "/var/tmp");
    expect(small.result).toMatchObject({ outcome: "failed", code: "diskTooFull" });
    expect("message" in small.result && small.result.message).toMatch(
      /^32\.\d MB are needed \(downloads at \/var\/tmp\/autopatch\/archives 0\.0 MB, backup at \/var\/tmp\/autopatch_backups 32\.\d MB\), 8\.4 MB are free: free \d+ bytes$/,
    );
    expect(full.result).toMatchObject({
      outcome: "failed",
      code: "diskTooFull",
      message: "the file system of /var/tmp/autopatch has 12.5 % free, 20 % are asked for",
    });
    expect(full.exit).toBe(6);
  });

  test("a user that is not root", async () => {
    const request = encodeRequest(requestFor(host.id, "preflight", 90));
    const answer = await host.run(
      "setpriv",
      "--reuid=65534",
      "--regid=65534",
      "--clear-groups",
      HOST_PATHS.executable,
      "step",
      "preflight",
      "--request",
      request,
    );
    const decoded = decodeResult(answer.stdout);
    expect(decoded.ok && decoded.result).toMatchObject({
      outcome: "failed",
      code: "notRoot",
      message: "the agent runs as user 65534: run it with sudo, or through SSM",
    });
    expect(answer.exitCode).toBe(4);
  });

  test("a change of another run that is not finished", async () => {
    const journal = {
      format: 1,
      runId: "run-0",
      state: "trial",
      lockDigest: "0".repeat(64),
      backupId: null,
      owner: { pid: 1, startTime: "0", bootId: "before" },
      entered: {},
      statusBefore: "",
      statusAfter: null,
      services: [],
      reason: null,
      comparison: null,
    };
    host.write(`${HOST_PATHS.state}/transaction.json`, JSON.stringify(journal), 0o600);
    const { exit, result } = await host.step("preflight");
    await host.run("rm", `${HOST_PATHS.state}/transaction.json`);
    expect(result).toMatchObject({
      outcome: "failed",
      code: "transactionOpen",
      message: "run run-0 is in state trial, and nobody is at work on it: commit it or roll it back first",
    });
    expect(exit).toBe(5);
  });

  test("a configuration line that is wrong, and a configuration others may write", async () => {
    const before = host.read(HOST_PATHS.config);
    host.write(HOST_PATHS.config, "AUTOPATCH_LOG_LEVEL=loud\nAUTOPATCH_COLOUR=blue\n");
    const wrong = await host.step("preflight");
    host.write(HOST_PATHS.config, before);
    await host.run("chmod", "0666", HOST_PATHS.config);
    const open = await host.step("preflight");
    await host.run("chmod", "0600", HOST_PATHS.config);
    expect(wrong.result).toMatchObject({ outcome: "failed", code: "configurationInvalid" });
    expect("message" in wrong.result && wrong.result.message).toMatch(
      /^\/etc\/autopatch\/autopatch\.conf: line 1: AUTOPATCH_LOG_LEVEL=loud: .*; line 2: unknown key AUTOPATCH_COLOUR, /,
    );
    expect(wrong.exit).toBe(3);
    expect(open.result).toMatchObject({ outcome: "failed", code: "pathUnsafe" });
    expect(open.exit).toBe(8);
    expect(host.read(`${HOST_PATHS.logs}/autopatch-manager.log`)).toMatch(
      /SÉCURITÉ COMPROMISE: pathUnsafe: \/etc\/autopatch\/autopatch\.conf is writable by others/,
    );
  });
});

describe("a work folder that somebody else made is refused", () => {
  const work = HOST_PATHS.work;
  test.each([
    ["a link", ["ln", "-s", "/etc", work], "/var/tmp/autopatch is a link"],
    [
      "another user's folder",
      ["install", "-d", "-o", "nobody", work],
      "/var/tmp/autopatch belongs to user 65534, not to 0",
    ],
    [
      "a folder all may write to",
      ["install", "-d", "-m", "0777", work],
      "/var/tmp/autopatch is writable by others (mode 0777)",
    ],
  ] as const)("%s", async (_name, [program, ...args], message) => {
    const other = await bench.host();
    await other.run(program, ...args);
    const { exit, result } = await other.step("preflight");
    expect(result).toMatchObject({ outcome: "failed", code: "pathUnsafe" });
    expect("message" in result && result.message).toContain(message);
    expect(exit).toBe(8);
    expect(other.read(`${HOST_PATHS.logs}/autopatch-manager.log`)).toContain("SÉCURITÉ COMPROMISE: pathUnsafe");
    await other.close();
  });
});
