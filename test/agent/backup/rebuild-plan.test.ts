import { expect, test } from "vitest";
import type { BackupEntry, Manifest } from "../../../agent/backup/manifest.ts";
import { planRebuild, toHash } from "../../../agent/backup/rebuild-plan.ts";
import type { PathStat, Tree } from "../../../agent/host/tree.ts";

const stat = (changes: Partial<PathStat> = {}): PathStat => ({
  type: "file",
  mode: 0o644,
  uid: 0,
  gid: 0,
  size: 1,
  mtime: "1",
  ctime: "1",
  target: null,
  shared: null,
  ...changes,
});
const folder = stat({ type: "directory", mode: 0o755 });
const tree = (paths: Record<string, PathStat>, skipped: Tree["skipped"] = []): Tree => ({
  paths: new Map(Object.entries(paths)),
  skipped,
});
const entry = ([path, s]: [string, PathStat]): BackupEntry => {
  const common = { path, mode: s.mode, uid: s.uid, gid: s.gid, mtime: s.mtime };
  if (s.type === "directory") return { type: "directory", ...common } as BackupEntry;
  return { type: "file", ...common, size: s.size, sha256: "0".repeat(64) } as BackupEntry;
};
const manifestOf = (paths: Record<string, PathStat>) =>
  ({
    id: "backup_20260101T000000Z",
    kind: "complete",
    entries: Object.entries(paths).map(entry),
  }) as unknown as Manifest;

test("what is alike stays only when its content is too; identity and foreign data stay; what only packages own here goes", () => {
  const theirs = {
    "/etc": folder,
    "/etc/same": stat(),
    "/etc/alike": stat(),
    "/etc/edited": stat({ mtime: "7" }),
    "/etc/hostname": stat({ size: 9 }),
    "/etc/ssh/ssh_host_rsa_key": stat({ size: 9 }),
    "/usr/new": { ...folder, mtime: "5" },
    "/var/lib/app/data": stat(),
  };
  const ours = {
    "/etc": folder,
    "/etc/same": stat({ ctime: "2" }),
    "/etc/alike": stat(),
    "/etc/edited": stat(),
    "/etc/hostname": stat(),
    "/etc/only-here": stat(),
    "/etc/autopatch": folder,
    "/etc/autopatch/autopatch.conf": stat(),
    "/etc/autopatch/health.d": folder,
    "/etc/autopatch/health.d/only-here": stat(),
    "/usr/lib/only": folder,
    "/usr/lib/only/here": stat(),
    "/usr/lib/modules": folder,
    "/usr/lib/modules/6.1": folder,
    "/var/lib/ours": folder,
    "/var/lib/ours/state": stat(),
    "/var/lib/application/data": stat(),
    "/var/lib/huge": folder,
  };
  const manifest = manifestOf(theirs);
  const now = tree(ours, [{ path: "/var/lib/huge", why: "application data" }]);

  const plan = planRebuild({
    manifest,
    before: tree(theirs),
    now,
    sameContent: new Set(["/etc/same"]),
    stateFolders: new Set(["/var/lib/ours"]),
  });

  expect(toHash(manifest, now).map(({ path }) => path)).toEqual(["/etc/same", "/etc/alike"]);
  expect(plan.putBack.map(({ path }) => path)).toEqual(["/etc/alike", "/etc/edited", "/var/lib/app/data"]);
  expect(plan.folders.map(({ path }) => path)).toEqual(["/usr/new"]);
  expect(plan.remove).toEqual([
    "/var/lib/ours/state",
    "/var/lib/ours",
    "/usr/lib/only/here",
    "/usr/lib/only",
    "/etc/only-here",
    "/etc/autopatch/health.d/only-here",
    "/etc/autopatch/health.d",
  ]);
  expect(plan.kept).toEqual([
    { path: "/etc/hostname", why: "this machine's own" },
    { path: "/etc/ssh/ssh_host_rsa_key", why: "this machine's own" },
    { path: "/var/lib/application/data", why: "not of a package, and not in the backup" },
  ]);
});
