import { spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { arch } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { exec } from "../../../agent/host/exec.ts";
import { openBase } from "../../../local/hosts/base.ts";
import { baseRecipe, recipeDigest } from "../../../local/hosts/base-recipe.ts";
import { takeBuildLock } from "../../../local/hosts/build-lock.ts";

const NAME = `base-${recipeDigest(baseRecipe("minimal"), arch())}`;

let cache: string;

beforeEach(() => {
  cache = mkdtempSync("/var/tmp/base-test-");
});

afterEach(() => rmSync(cache, { recursive: true, force: true }));

/** How many processes, but for this one, have a path in their arguments. */
function processesOf(path: string): number {
  return readdirSync("/proc").filter((name) => {
    try {
      return Number(name) !== process.pid && readFileSync(`/proc/${name}/cmdline`, "utf8").includes(path);
    } catch {
      return false;
    }
  }).length;
}

test("two that want the same base share one build, in a folder for the owner alone, with nothing mounted after", async () => {
  const folder = join(cache, "autopatch");
  const phases: string[] = [];
  const open = () => openBase({ variant: "minimal", cacheFolder: folder, onProgress: (phase) => phases.push(phase) });

  const [one, other] = await Promise.all([open(), open()]);

  expect([one.cached, other.cached].sort()).toEqual([false, true]);
  expect({ ...one, cached: null }).toEqual({ ...other, cached: null });
  expect(phases.filter((phase) => phase === `waiting for process ${process.pid}, which builds the base`)).toHaveLength(
    1,
  );
  expect(phases).toContain("running apt-get update");
  expect(statSync(folder).mode & 0o777).toBe(0o700);
  expect(readdirSync(folder)).toEqual([NAME, `${NAME}.lock`]);
  expect(readFileSync(join(one.root, "usr/sbin/policy-rc.d"), "utf8")).toBe("#!/bin/sh\nexit 101\n");
  expect(readdirSync(join(one.root, "etc/apt/sources.list.d"))).toEqual([]);
  expect(readdirSync(join(one.root, "etc/apt/apt.conf.d")).filter((name) => name.includes("mmdebstrap"))).toEqual([]);
  expect(readFileSync("/proc/self/mountinfo", "utf8")).not.toContain(cache);
}, 240_000);

test("a build whose runner is killed leaves no process, no mount, no lock and nothing that looks finished", async () => {
  const program = `
    import { openBase } from "${join(import.meta.dirname, "../../../local/hosts/base.ts")}";
    await openBase({ variant: "minimal", cacheFolder: process.argv[1], onProgress: (phase) => console.log(phase) });
  `;
  const child = spawn(process.execPath, ["--input-type=module", "-e", program, cache], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  await new Promise<void>((resolve) =>
    child.stdout.on("data", (chunk) => {
      if (String(chunk).includes("running apt-get update")) resolve();
    }),
  );
  const during = processesOf(cache);
  child.kill("SIGKILL");

  await expect.poll(() => processesOf(cache), { timeout: 5_000 }).toBe(0);
  const free = await exec("flock", ["--nonblock", join(cache, `${NAME}.lock`), "true"], { deadlineMs: 5_000 });
  expect(during).toBeGreaterThan(1);
  expect(free.exitCode).toBe(0);
  expect(readdirSync(cache)).toEqual([`${NAME}.building-${child.pid}`, `${NAME}.lock`]);
  expect(readFileSync("/proc/self/mountinfo", "utf8")).not.toContain(cache);
});

test("an archive that does not answer is named with apt's words, and nothing half-made stays, not even a dead build's", async () => {
  mkdirSync(join(cache, `${NAME}.building-1234`, "root"), { recursive: true });
  const archive = {
    mirror: "http://127.0.0.1:9/debian/",
    security: "http://127.0.0.1:9/debian-security/",
    signedBy: "/usr/share/keyrings/debian-archive-keyring.gpg",
    access: [],
  };

  const failure = await openBase({ variant: "minimal", cacheFolder: cache, archive }).catch((error: unknown) => error);

  expect(failure).toMatchObject({ name: "HostsFailure", code: "registryUnreachable" });
  expect(String(failure)).toContain(
    "http://127.0.0.1:9/debian/: the Debian archive of this machine's apt configuration",
  );
  expect(String(failure)).toContain("Connection refused");
  expect(readdirSync(cache)).toEqual([`${NAME}.lock`]);
});

test("too little disk is refused before anything is built, with how much is missing", async () => {
  // A small file system of this test's own, in a mount namespace of its own.
  const program = `
    import { openBase } from "${join(import.meta.dirname, "../../../local/hosts/base.ts")}";
    await openBase({ variant: "minimal", cacheFolder: "${cache}" }).catch((error) => console.log(error.code + " " + error.message));
  `;
  const script = `mount -t tmpfs -o size=50m tmpfs "$1" && exec "$2" --input-type=module -e "$3"`;

  const answer = await exec("unshare", ["--mount", "sh", "-c", script, "sh", cache, process.execPath, program], {
    deadlineMs: 30_000,
  });

  expect(answer.stdout).toMatch(
    new RegExp(
      `^spaceMissing ${cache}: building the base needs 450 MB, 39[789] MB more than is free there\\.\n  Free that much`,
    ),
  );
  expect(readdirSync(cache)).toEqual([]);
});

test("the digest follows the recipe, its release and the architecture", () => {
  const minimal = baseRecipe("minimal");

  expect(recipeDigest(minimal, "x64")).toBe(recipeDigest({ ...minimal, neededBytes: 1 }, "x64"));
  expect(recipeDigest(minimal, "arm64")).not.toBe(recipeDigest(minimal, "x64"));
  expect(recipeDigest({ ...minimal, packages: ["less"] }, "x64")).not.toBe(recipeDigest(minimal, "x64"));
  expect(recipeDigest(baseRecipe("minimal", "trixie"), "x64")).not.toBe(recipeDigest(minimal, "x64"));
});

test("a lock is had by one at a time, and comes free when its holder is killed", async () => {
  const path = join(cache, "lock");
  const first = await takeBuildLock(path, 5_000, () => {});
  const waits: string[] = [];

  await expect(takeBuildLock(path, 1_500, (pid) => waits.push(pid))).rejects.toThrow(
    `${path}: process ${process.pid} has held this lock for 1500 ms; end it, or wait`,
  );
  await first.release();
  const again = await takeBuildLock(path, 5_000, (pid) => waits.push(pid));
  await again.release();

  expect(waits).toEqual([String(process.pid)]);
  expect(existsSync(path)).toBe(true);
});
