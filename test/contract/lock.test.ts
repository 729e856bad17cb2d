import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { formatLock, type Lock, lockDigest, parseLock } from "../../contract/lock.ts";

const sha256 = (text: string) => createHash("sha256").update(text).digest("hex");
const lock: Lock = {
  release: "bookworm",
  architecture: "amd64",
  entries: [
    {
      name: "libssl3",
      architecture: "amd64",
      version: "3.0.17-1~deb12u3",
      from: "3.0.15-1~deb12u1",
      sha256: sha256("ssl"),
      size: 3,
      file: "libssl3_3.0.17-1~deb12u3_amd64.deb",
    },
    {
      name: "webapp",
      architecture: "all",
      version: "1:2.0-1",
      from: null,
      sha256: sha256("web"),
      size: 3,
      file: "webapp_1%3a2.0-1_all.deb",
    },
  ],
  removals: [{ name: "old-lib", architecture: "amd64", version: "0.9" }],
};
const text = formatLock(lock);

test("a lock comes back from its text", () => {
  expect(parseLock(text)).toEqual(lock);
});

test("sha256sum reads the same text and checks the files", () => {
  const dir = mkdtempSync(join(tmpdir(), "autopatch-lock-"));
  try {
    mkdirSync(join(dir, "archives"));
    writeFileSync(join(dir, "archives", "libssl3_3.0.17-1~deb12u3_amd64.deb"), "ssl");
    writeFileSync(join(dir, "archives", "webapp_1%3a2.0-1_all.deb"), "web");
    writeFileSync(join(dir, "locked_versions.txt"), text);
    const answer = execFileSync("sha256sum", ["--strict", "-c", "locked_versions.txt"], {
      cwd: dir,
      encoding: "utf8",
      env: { LC_ALL: "C", PATH: process.env.PATH },
    });
    expect(answer).toBe("archives/libssl3_3.0.17-1~deb12u3_amd64.deb: OK\narchives/webapp_1%3a2.0-1_all.deb: OK\n");
  } finally {
    rmSync(dir, { recursive: true });
  }
});

test("the digest is the same wherever the same bytes go, and differs with any of them", () => {
  const elsewhere: Lock = { ...lock, entries: lock.entries.map((e) => ({ ...e, from: "older" })).reverse() };
  expect(lockDigest(elsewhere)).toBe(lockDigest(lock));
  const [first, ...rest] = lock.entries as [Lock["entries"][number], ...Lock["entries"]];
  expect(lockDigest({ ...lock, entries: [{ ...first, sha256: sha256("SSL") }, ...rest] })).not.toBe(lockDigest(lock));
  expect(lockDigest({ ...lock, removals: [] })).not.toBe(lockDigest(lock));
  expect(lockDigest({ ...lock, release: "trixie" })).not.toBe(lockDigest(lock));
});

describe("a text that is not exactly a lock is refused, and the line named", () => {
  test.each([
    ["another header", text.replace("lock 1", "lock 2"), /^line 1: not "# AutoPatch lock 1"/],
    [
      "an added package without its hash",
      text.replace("# remove", "# install evil all 1 from - size 1\n# remove"),
      /^line 8: not a hash line/,
    ],
    ["a changed version", text.replaceAll("3.0.17", "3.0.18"), /^line 8: the digest of the lines above is/],
    ["a path out of the archives", text.replace("archives/webapp_1", "archives/../webapp_1"), /^line 5/],
    ["text after the end", `${text}x\n`, /^line 9: text after the digest line/],
    ["no digest", text.replace(/# digest.*\n/, ""), /^line 8: not the digest line/],
    [
      "one package twice",
      formatLock({ ...lock, removals: [{ name: "webapp", architecture: "all", version: "1" }] }),
      /^webapp:all stands in the lock twice/,
    ],
  ])("%s", (_name, changed, message) => {
    expect(() => parseLock(changed)).toThrow(message);
  });
});
