import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { CommandNotFound, exec, killRunning } from "../../../agent/host/exec.ts";

test("a command's answer is whole: output, exit code, and its arguments reach it unread by any shell", async () => {
  const result = await exec("printf", ["%s", "$(id); `id`"], { deadlineMs: 5_000 });
  expect(result).toMatchObject({ exitCode: 0, signal: null, timedOut: false, stdout: "$(id); `id`", stderr: "" });
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
