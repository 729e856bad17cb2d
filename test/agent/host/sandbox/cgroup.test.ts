import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { exec } from "../../../../agent/host/exec.ts";
import { openCgroup } from "../../../../agent/host/sandbox/cgroup.ts";

const BOUNDS = { memoryBytes: 64 << 20, processes: 20 };
let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "cgroup-test-"));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

test("on version 2 one group holds memory and processes", () => {
  writeFileSync(join(root, "cgroup.controllers"), "cpu io memory pids\n");
  writeFileSync(join(root, "cgroup.subtree_control"), "cpu memory pids\n");

  const group = openCgroup(BOUNDS, root);
  const [folder = ""] = group?.folders ?? [];
  const before = group?.memoryExceeded();
  writeFileSync(join(folder, "memory.events"), "low 0\noom 3\noom_kill 2\n");

  expect(group?.folders).toHaveLength(1);
  expect(folder).toMatch(/\/autopatch-clone-\d+-[0-9a-f]{8}$/);
  expect(readFileSync(join(folder, "memory.max"), "utf8")).toBe(String(64 << 20));
  expect(readFileSync(join(folder, "pids.max"), "utf8")).toBe("20");
  expect([before, group?.memoryExceeded()]).toEqual([false, true]);
});

test("on version 1 there is one for each; where there is none to be had, nothing is left", () => {
  for (const controller of ["memory", "pids"]) mkdirSync(join(root, controller));
  mkdirSync(join(root, "memory", "autopatch-clone-999999999-00000000"));

  const group = openCgroup(BOUNDS, root);
  rmSync(join(root, "pids"), { recursive: true });
  const none = openCgroup(BOUNDS, root);

  expect(group?.folders.map((folder) => folder.slice(root.length).split("/")[1])).toEqual(["memory", "pids"]);
  expect(none).toBe(null);
  expect(readdirSync(join(root, "memory"))).not.toContain("autopatch-clone-999999999-00000000");
});

test("what is in the group is ended when it wants more memory than allowed, and the group goes when it is done", async () => {
  const group = openCgroup(BOUNDS);
  // A container may have none to give; the sandbox's own watch is tried with it.
  if (group === null) return;
  const join = group.folders.map((folder) => `echo 0 > ${folder}/cgroup.procs`).join(" && ");

  const big = await exec("sh", ["-c", `${join} && exec perl -e '$x = "x" x 3e8; print "all"'`], { deadlineMs: 20_000 });
  const exceeded = group.memoryExceeded();
  group.remove();

  expect({ stdout: big.stdout, signal: big.signal, exceeded }).toEqual({
    stdout: "",
    signal: "SIGKILL",
    exceeded: true,
  });
  expect(group.folders.filter((folder) => existsSync(folder))).toEqual([]);
});
