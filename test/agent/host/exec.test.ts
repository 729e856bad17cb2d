import { readFileSync } from "node:fs";
import { expect, test, vi } from "vitest";
import { CommandNotFound, exec, killRunning } from "../../../agent/host/exec.ts";

test("a command's answer is whole: output, exit code, and its arguments reach it unread by any shell", async () => {
  const result = await exec("printf", ["%s", "$(id); `id`"], { deadlineMs: 5_000 });
  expect(result).toMatchObject({ exitCode: 0, signal: null, timedOut: false, stdout: "$(id); `id`", stderr: "" });
});

test("a program in /usr/sbin is found where the PATH is cron's", async () => {
  vi.stubEnv("PATH", "/usr/bin:/bin");
  const found = await exec("sh", ["-c", "command -v chroot"], { deadlineMs: 5_000 });
  const started = await exec("chroot", ["--version"], { deadlineMs: 5_000 });
  vi.unstubAllEnvs();

  expect(found.stdout).toBe("/usr/sbin/chroot\n");
  expect(started.exitCode).toBe(0);
});

test("a failing command is an answer, not an exception", async () => {
  const result = await exec("sh", ["-c", "echo why >&2; exit 7"], { deadlineMs: 5_000 });
  expect(result).toMatchObject({ exitCode: 7, stderr: "why\n" });
});

test("at the deadline the whole process group dies, the grandchild too", async () => {
  const result = await exec("sh", ["-c", "sleep 60 & echo $!; wait"], { deadlineMs: 300 });
  expect(result).toMatchObject({ exitCode: null, signal: "SIGKILL", timedOut: true });
  const grandchild = Number(result.stdout.trim());
  expect(grandchild).toBeGreaterThan(1);
  await expect.poll(() => isRunning(grandchild), { timeout: 2_000 }).toBe(false);
});

test("a grandchild in a session of its own that holds the pipes does not hold the answer", async () => {
  const result = await exec("sh", ["-c", "setsid sleep 8 & sleep 8"], { deadlineMs: 200 });
  expect(result.timedOut).toBe(true);
  expect(result.durationMs).toBeLessThan(4_000);
});

test("a call that was called off before it began ends at once", async () => {
  const result = await exec("sleep", ["30"], { deadlineMs: 60_000, signal: AbortSignal.abort() });
  expect(result).toMatchObject({ exitCode: null, signal: "SIGKILL", timedOut: false });
});

test("told to stop, a program takes what it has running with it", async () => {
  const [one, other] = [exec("sleep", ["30"], { deadlineMs: 60_000 }), exec("sleep", ["31"], { deadlineMs: 60_000 })];
  killRunning();
  expect(await Promise.all([one, other])).toMatchObject([{ signal: "SIGKILL" }, { signal: "SIGKILL" }]);
});

test("long output keeps its end, where the reasons are", async () => {
  const result = await exec("sh", ["-c", "head -c 100000 /dev/zero | tr '\\0' a; printf END"], {
    deadlineMs: 5_000,
    maxOutputBytes: 1_000,
  });
  expect(result.stdout).toBe(`${"a".repeat(997)}END`);
});

test("bytes go through a program as they are, no faster than they are taken", async () => {
  const pieces = Array.from({ length: 40 }, (_, i) => Buffer.alloc(50_000, i));
  const input = (async function* () {
    yield* pieces;
  })();
  const came: Buffer[] = [];
  const onBytes = async (chunk: Buffer) => {
    came.push(chunk);
    await new Promise((resolve) => setTimeout(resolve, 1));
  };
  const result = await exec("cat", [], { deadlineMs: 20_000, input, onBytes });
  expect(result).toMatchObject({ exitCode: 0, stdout: "" });
  expect(Buffer.concat(came).equals(Buffer.concat(pieces))).toBe(true);
});

test("what goes wrong with the bytes on either side ends the program and is thrown", async () => {
  const broken = (async function* () {
    yield Buffer.from("x");
    throw new Error("the pack is damaged");
  })();
  await expect(exec("sleep", ["30"], { deadlineMs: 60_000, input: broken })).rejects.toThrow("the pack is damaged");
  const onBytes = () => {
    throw new Error("no archive");
  };
  await expect(exec("yes", [], { deadlineMs: 60_000, onBytes })).rejects.toThrow("no archive");
});

test("a program that ends without reading what it is given is an answer", async () => {
  const endless = (async function* () {
    for (;;) yield Buffer.alloc(100_000);
  })();
  expect(await exec("sh", ["-c", "exit 3"], { deadlineMs: 20_000, input: endless })).toMatchObject({ exitCode: 3 });
});

test("a program that is not there is named", async () => {
  await expect(exec("/nonexistent/apt", [], { deadlineMs: 1_000 })).rejects.toThrow(CommandNotFound);
  await expect(exec("/nonexistent/apt", [], { deadlineMs: 1_000 })).rejects.toThrow(
    /^\/nonexistent\/apt: cannot be started/,
  );
});

function isRunning(pid: number): boolean {
  try {
    // A zombie is dead: it only waits for its new parent to say so.
    return !/^\d+ \(.*\) Z/.test(readFileSync(`/proc/${pid}/stat`, "utf8"));
  } catch {
    return false;
  }
}
