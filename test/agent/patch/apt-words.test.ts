import { expect, test } from "vitest";
import type { ExecResult } from "../../../agent/host/exec.ts";
import { installFailure } from "../../../agent/patch/apt-failure.ts";
import { deviations } from "../../../agent/patch/closed-world.ts";
import type { Lock } from "../../../contract/lock.ts";

function ended(more: Partial<ExecResult>): ExecResult {
  const common = { command: [], exitCode: 100, signal: null, timedOut: false, stdout: "", stderr: "", durationMs: 1 };
  return { ...common, ...more };
}

test.each([
  [
    "new webapp package pre-installation script subprocess returned error exit status 3",
    "webapp: its preinst returned",
  ],
  ["installed webapp package post-installation script subprocess was killed by signal (Killed)", "postinst was killed"],
  ["old webapp package pre-removal script subprocess returned error exit status 1", "its prerm returned"],
  ["old webapp package post-removal script subprocess returned error exit status 1", "its postrm returned"],
])("dpkg says %s", (line, words) => {
  const failure = installFailure(
    ended({ stderr: `dpkg: error processing package webapp (--configure):\n ${line}\n` }),
    1,
  );
  expect(failure.code).toBe("maintainerScriptFailed");
  expect(failure.message).toContain(words);
});

test("what a failed script said is found, though dpkg went on with other packages", () => {
  const failure = installFailure(
    ended({
      stdout:
        "Setting up tzdata (2026f) ...\nnoise\nSetting up webapp (2.0-1) ...\nmigrating\nSetting up zlib (1) ...\nmore\n",
      stderr: `invoke-rc.d: noise
webapp: cannot reach the licence server
dpkg: error processing package webapp (--configure):
 installed webapp package post-installation script subprocess returned error exit status 1
rehash: warning
Errors were encountered while processing:
 webapp
`,
    }),
    1,
  );
  expect(failure.message).toBe(
    "webapp: its postinst returned error exit status 1: migrating | invoke-rc.d: noise | webapp: cannot reach the licence server",
  );
});

test("other ends of apt: a deadline, a package dpkg cannot unpack, apt's own error", () => {
  const timedOut = installFailure(ended({ exitCode: null, timedOut: true, stdout: "Setting up x ..." }), 4_000);
  const unpack = installFailure(
    ended({ stderr: "dpkg: error processing archive /x/0-webapp.deb (--unpack):\n no space left\n" }),
    1,
  );
  const apt = installFailure(ended({ stderr: "E: Could not get lock\n" }), 1);
  expect([timedOut, unpack, apt].map(({ code, message }) => [code, message])).toEqual([
    ["installTimedOut", "apt-get did not end within 4 s. Its last lines: Setting up x ..."],
    [
      "installFailed",
      "/x/0-webapp.deb (unpack): exit 100. Last lines: dpkg: error processing archive /x/0-webapp.deb (--unpack): | no space left",
    ],
    ["installFailed", "apt-get: exit 100. Last lines: E: Could not get lock"],
  ]);
});

test("a simulation is the lock, or each way in which it is not is said", () => {
  const entry = { architecture: "all", version: "2", from: "1", sha256: "0".repeat(64), size: 1 };
  const lock: Lock = {
    release: "bookworm",
    architecture: "amd64",
    entries: ["a", "b"].map((name) => ({ ...entry, name, file: `${name}.deb` })),
    removals: [{ name: "old", architecture: "all", version: "1" }],
  };
  const inst = (name: string, version = "2") => ({ name, architecture: "all", version, from: "1", origins: [] });
  const exact = {
    installs: [inst("a"), inst("b")],
    removals: [{ name: "old", architecture: null, version: "1" }],
  };
  const other = {
    installs: [inst("a", "3"), inst("extra")],
    removals: [{ name: "precious", architecture: null, version: "1" }],
  };
  expect(deviations(lock, exact, "amd64")).toEqual([]);
  expect(deviations(lock, other, "amd64")).toEqual([
    "would install a:all 3, which is not locked",
    "would install extra:all 2, which is not locked",
    "would not install b:all 2, which is locked",
    "would remove precious:amd64, which is not locked",
    "would not remove old:all, which is locked",
  ]);
});
