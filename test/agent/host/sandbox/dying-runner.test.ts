import { type ChildProcess, spawn } from "node:child_process";
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { exec } from "../../../../agent/host/exec.ts";
import { openBase } from "../../../../local/hosts/base.ts";

const RUNNER = join(import.meta.dirname, "dying-runner.ts");
/** A user no machine has, described to the runner alone, in a mount namespace of its own. */
const UID = 64_001;

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(existsSync("/dev/shm") ? "/dev/shm" : "/var/tmp", "dying-test-"));
});

afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** PIDs of the processes in the PID namespace of a sandbox. */
function members(namespace: string): string[] {
  return readdirSync("/proc").filter((name) => {
    try {
      return /^\d+$/.test(name) && readlinkSync(`/proc/${name}/ns/pid`) === namespace;
    } catch {
      return false;
    }
  });
}

async function until(condition: () => boolean, deadlineMs: number): Promise<void> {
  const end = Date.now() + deadlineMs;
  while (!condition() && Date.now() < end) await new Promise((resolve) => setTimeout(resolve, 20));
}

async function firstLine(child: ChildProcess): Promise<string> {
  let errors = "";
  child.stderr?.on("data", (chunk) => {
    errors += chunk;
  });
  return new Promise((resolve, reject) => {
    child.stdout?.once("data", (chunk) => resolve(String(chunk)));
    child.once("exit", (code) => reject(new Error(`the runner ended with ${code}: ${errors}`)));
  });
}

async function killAndLook(
  child: ChildProcess,
): Promise<{ privilege: string; before: number; after: string[]; mounts: boolean }> {
  const { pid, privilege } = JSON.parse(await firstLine(child)) as { pid: number; privilege: string };
  const namespace = readlinkSync(`/proc/${pid}/ns/pid`);
  const before = members(namespace).length;
  child.kill("SIGKILL");
  await until(() => members(namespace).length === 0, 5_000);
  return {
    privilege,
    before,
    after: members(namespace),
    mounts: readFileSync("/proc/self/mountinfo", "utf8").includes(folder),
  };
}

test("SIGKILL to the runner leaves no process and no mount, and the files as they were", async () => {
  const { root } = await openBase({ variant: "minimal" });
  const workspace = join(folder, "one");
  const child = spawn(process.execPath, [RUNNER, root, workspace], { stdio: ["ignore", "pipe", "pipe"] });

  const seen = await killAndLook(child);

  expect(seen).toMatchObject({ before: 2, after: [], mounts: false });
  expect(readFileSync(join(workspace, "upper/var/lib/state"), "utf8")).toBe("running\n");
});

test("an ordinary user gets the same in a user namespace; without a range of ids the failure names the way out", async () => {
  // A whole root would take long to copy for another user: these few files are enough to run sh, sleep and perl's init.
  const root = join(folder, "root");
  for (const name of ["etc", "proc", "dev", "sys", "run", "tmp", "var/lib", "usr/bin"]) {
    await exec("mkdir", ["-p", join(root, name)], { deadlineMs: 5_000 });
  }
  const programs = ["dash", "sleep", "setsid"].map((name) => `/usr/bin/${name}`);
  const linked = await exec("ldd", programs, { deadlineMs: 5_000 });
  const libraries = new Set(linked.stdout.match(/\/lib\S*(?= \()/g));
  const copied = await exec("cp", ["--dereference", "--parents", ...programs, ...libraries, root], {
    deadlineMs: 5_000,
  });
  symlinkSync("dash", join(root, "usr/bin/sh"));
  symlinkSync("usr/bin", join(root, "bin"));
  expect(copied.stderr).toBe("");
  for (const own of [folder, root, join(root, "etc")]) chownSync(own, UID, UID);
  chmodSync(folder, 0o755);

  const granted = asUser("tester:100000:65536\n", root, join(folder, "granted"));

  if (existsSync("/usr/bin/newuidmap")) {
    expect(await killAndLook(granted)).toMatchObject({
      privilege: "userNamespace",
      before: 2,
      after: [],
      mounts: false,
    });
  } else {
    await expect(firstLine(granted)).rejects.toThrow("install the package uidmap");
  }
  const refused = asUser("", root, join(folder, "refused"));
  await expect(firstLine(refused)).rejects.toThrow(/sandbox: no right to make one[\s\S]*install the package uidmap/);
});

/** Runs the runner as a user who is in /etc/passwd and /etc/subuid only as far as this one process can see. */
function asUser(subordinateIds: string, root: string, workspace: string): ChildProcess {
  const passwd = join(folder, "passwd");
  const ids = `${workspace}.ids`;
  writeFileSync(passwd, `${readFileSync("/etc/passwd", "utf8")}tester:x:${UID}:${UID}::/:/bin/sh\n`);
  writeFileSync(ids, subordinateIds);
  const script =
    'for f in subuid subgid; do [ -e /etc/$f ] || exit 9; mount --bind "$2" /etc/$f; done; mount --bind "$1" /etc/passwd; ' +
    'shift 2; exec setpriv --reuid "$1" --regid "$1" --clear-groups -- "$2" "$3" "$4" "$5"';
  const args = ["sh", "-c", script, "sh", passwd, ids, String(UID), process.execPath, RUNNER, root, workspace];
  return spawn("unshare", ["--mount", "--propagation=private", "--", ...args], {
    stdio: ["ignore", "pipe", "pipe"],
    cwd: dirname(folder),
  });
}
