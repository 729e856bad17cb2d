import { expect, test } from "vitest";
import { mentionedPaths, parseContents, parseDiversions } from "../../../agent/backup/canonical.ts";
import { type ExpectedChange, packagesOwn, pathSet } from "../../../agent/backup/path-set.ts";
import type { PathStat, PathType, Tree } from "../../../agent/host/tree.ts";

function stat(type: PathType, more: Partial<PathStat> = {}): PathStat {
  const common = { mode: 0o644, uid: 0, gid: 0, size: 10, mtime: "1", ctime: "1", target: null, shared: null };
  return { type, ...common, ...more };
}
const file = (size = 10) => stat("file", { size });
const link = (target: string) => stat("link", { target });

function tree(paths: Record<string, PathStat>, skipped: Tree["skipped"] = []): Tree {
  return { paths: new Map(Object.entries(paths)), skipped };
}
const NOTHING: ExpectedChange = { packages: [], oldPaths: [], newPaths: [], mentioned: [], diversions: [] };

test("old and new lists, through merged /usr and diversions; what is not there yet is named as absent", () => {
  const before = tree({
    "/bin": link("usr/bin"),
    "/usr": stat("directory"),
    "/usr/bin": stat("directory"),
    "/usr/bin/tool": file(),
    "/usr/bin/other.distrib": file(),
    "/usr/bin/bystander": file(),
  });
  const set = pathSet(
    {
      ...NOTHING,
      packages: ["tool"],
      oldPaths: ["/bin", "/bin/tool", "/usr/bin/other"],
      newPaths: ["/bin/tool", "/usr/lib/new.so"],
      diversions: [{ from: "/usr/bin/other", to: "/usr/bin/other.distrib" }],
    },
    before,
  );
  expect(set).toEqual({
    present: ["/bin", "/usr", "/usr/bin", "/usr/bin/other.distrib", "/usr/bin/tool"],
    absent: ["/usr/bin/other", "/usr/lib/new.so"],
    notCovered: [],
  });
});

test("configuration, dpkg's database, caches, alternatives and small state are kept; large state is named, not promised", () => {
  const before = tree(
    {
      "/etc/passwd": file(),
      "/var/lib/dpkg/status": file(),
      "/usr/lib/python3/__pycache__/a.pyc": file(),
      "/usr/bin/editor": link("/etc/alternatives/editor"),
      "/usr/bin/unrelated": file(),
      "/var/lib/small/state": file(),
      "/var/lib/large/data": file(65 << 20),
      "/var/lib/foreign/data": file(),
      "/run/socket": stat("other"),
    },
    [{ path: "/var/lib/docker", why: "application data" }],
  );
  const set = pathSet({ ...NOTHING, packages: ["small", "large"] }, before);
  expect(set).toEqual({
    present: [
      "/etc/passwd",
      "/usr/bin/editor",
      "/usr/lib/python3/__pycache__/a.pyc",
      "/var/lib/dpkg/status",
      "/var/lib/small/state",
    ],
    absent: [],
    notCovered: [
      { path: "/var/lib/large", why: `1 paths, ${65 << 20} bytes: too large to keep` },
      { path: "/var/lib/docker", why: "application data" },
    ],
  });
});

test("a rollback owns packages' paths and their state, never another application's", () => {
  const own = (path: string) => packagesOwn(path, new Set(["/var/lib/webapp"]));
  expect(["/etc/x", "/usr/local/y", "/var/lib", "/var/lib/webapp/schema", "/var/lib/dpkg/status"].map(own)).toEqual([
    true,
    true,
    true,
    true,
    true,
  ]);
  expect(["/var/lib/orders/db", "/var/cache/orders", "/var/lib/webapp2"].map(own)).toEqual([false, false, false]);
});

test("dpkg-deb --contents: links, hard links, octal escapes, folders", () => {
  const stdout = [
    "drwxr-xr-x root/root         0 2024-01-01 00:00 ./",
    "drwxr-xr-x root/root         0 2024-01-01 00:00 ./usr/share/",
    "-rw-r--r-- root/root       123 2024-01-01 00:00 ./usr/share/F\\305\\221 with space.pem",
    "lrwxrwxrwx root/root         0 2024-01-01 00:00 ./usr/lib/a.so -> a.so.1",
    "hrw-r--r-- root/root         0 2024-01-01 00:00 ./usr/bin/b link to ./usr/bin/a",
    "",
  ].join("\n");
  expect(parseContents(stdout)).toEqual(["/usr/share", "/usr/share/Fő with space.pem", "/usr/lib/a.so", "/usr/bin/b"]);
});

test("diversions by threes; paths that a script names", () => {
  expect(parseDiversions("/bin/sh\n/bin/sh.distrib\ndash\n/a\n/b\n:\n")).toEqual([
    { from: "/bin/sh", to: "/bin/sh.distrib" },
    { from: "/a", to: "/b" },
  ]);
  expect(mentionedPaths('rm -f "/usr/share/x/y.cache"; [ -x /usr/sbin/z ] || echo /etc/no >/dev/null')).toEqual([
    "/usr/share/x/y.cache",
    "/usr/sbin/z",
  ]);
});
