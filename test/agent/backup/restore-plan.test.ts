import { expect, test } from "vitest";
import type { BackupEntry, Manifest } from "../../../agent/backup/manifest.ts";
import { planRestore, type RestoreFacts } from "../../../agent/backup/restore-plan.ts";
import type { PathStat, Tree } from "../../../agent/host/tree.ts";

/** A plain file whose content is told by its change time. */
function file(ctime: string): PathStat {
  return {
    type: "file",
    mode: 0o644,
    uid: 0,
    gid: 0,
    size: 1,
    mtime: ctime,
    ctime,
    target: null,
    shared: null,
  };
}
const folder: PathStat = { ...file("1"), type: "directory", mode: 0o755 };
const tree = (paths: Record<string, PathStat>): Tree => ({ paths: new Map(Object.entries(paths)), skipped: [] });
const entry = (path: string): BackupEntry => ({
  type: "file",
  path,
  mode: 0o644,
  uid: 0,
  gid: 0,
  mtime: "1",
  pack: 0,
  size: 1,
  sha256: "0".repeat(64),
});

function plan(
  facts: Partial<RestoreFacts> & Pick<RestoreFacts, "now" | "before">,
  kept: string[],
  absent: string[] = [],
) {
  const manifest: Manifest = {
    format: 2,
    id: "backup_20260101T000000Z",
    runId: "r",
    kind: "change" as const,
    machine: null,
    lockDigest: null,
    createdAt: "2026-01-01T00:00:00.000Z",
    scannedAt: "2026-01-01T00:00:00.000Z",
    packs: [],
    state: { packages: [], autoMarks: [], holds: [] },
    statusDigest: "0".repeat(64),
    changing: ["webapp"],
    entries: kept.map(entry),
    absent,
    stateFolders: ["/var/lib/webapp"],
    notCovered: [],
  };
  const {
    putBack,
    folders,
    remove,
    kept: left,
    edits,
    uncovered,
  } = planRestore({
    manifest,
    after: null,
    window: { from: 10n, to: 20n },
    ...facts,
  });
  return {
    putBack: putBack.map((e) => e.path),
    folders,
    remove,
    kept: left.map((k) => k.path),
    edits: edits.map(({ path, what, instead }) => [path, what, instead?.path ?? null]),
    uncovered,
  };
}

test("only what changed is put back", () => {
  const before = tree({ "/etc/a": file("1"), "/etc/b": file("1"), "/etc/c": file("1") });
  const now = tree({ "/etc/a": file("1"), "/etc/b": file("15") });
  expect(plan({ before, now }, ["/etc/a", "/etc/b", "/etc/c"])).toEqual({
    putBack: ["/etc/b", "/etc/c"],
    folders: [],
    remove: [],
    kept: [],
    edits: [],
    uncovered: [],
  });
});

test("after a power loss: new paths within the change's time go, deepest first; later ones and applications' stay", () => {
  const before = tree({ "/var/lib": folder, "/var/lib/orders": folder });
  const now = tree({
    "/var/lib": folder,
    "/var/lib/orders": folder,
    "/usr/new": { ...folder, ctime: "12" },
    "/usr/new/file": file("12"),
    "/usr/later": file("30"),
    "/usr/announced": file("30"),
    "/var/lib/webapp/cache": file("12"),
    "/var/lib/fresh": { ...folder, ctime: "13" },
    "/var/lib/fresh/x": file("13"),
    "/var/lib/orders/12.json": file("12"),
  });
  const { remove, kept } = plan({ before, now }, [], ["/usr/announced"]);
  expect(remove).toEqual([
    "/var/lib/webapp/cache",
    "/var/lib/fresh/x",
    "/var/lib/fresh",
    "/usr/new/file",
    "/usr/new",
    "/usr/announced",
  ]);
  expect(kept).toEqual(["/var/lib/orders/12.json"]);
});

test("with a look after the install that decides, whatever the clock says; state changed since is the application's", () => {
  const before = tree({ "/var/lib/webapp/db": file("1"), "/var/lib/webapp/schema": file("1") });
  const after = tree({
    "/var/lib/webapp/db": file("15"),
    "/var/lib/webapp/schema": file("15"),
    "/usr/new": file("99"),
  });
  const now = tree({
    "/var/lib/webapp/db": file("40"),
    "/var/lib/webapp/schema": file("15"),
    "/usr/new": file("99"),
    "/usr/local/admin": file("15"),
  });
  expect(plan({ before, after, now }, ["/var/lib/webapp/db", "/var/lib/webapp/schema"])).toEqual({
    putBack: ["/var/lib/webapp/schema"],
    folders: [],
    remove: ["/usr/new"],
    kept: ["/var/lib/webapp/db"],
    edits: [],
    uncovered: [],
  });
});

test("a packaged path that changed and is not in the backup is a difference; an application's is not touched", () => {
  const before = tree({ "/usr/bin/who": file("1"), "/usr/bin/gone": file("1"), "/var/lib/orders/db": file("1") });
  const now = tree({ "/usr/bin/who": file("15"), "/var/lib/orders/db": file("15") });
  expect(plan({ before, now }, [])).toEqual({
    putBack: [],
    folders: [],
    remove: [],
    kept: ["/var/lib/orders/db"],
    edits: [],
    uncovered: [
      { path: "/usr/bin/who", what: "content", before: "1", after: "15" },
      { path: "/usr/bin/gone", what: "missing", before: "file", after: null },
    ],
  });
});

test("three ways under /etc: what was edited after the install stays, what only the install changed goes back", () => {
  const paths = ["/etc/app/edited", "/etc/app/own", "/etc/app/shipped", "/etc/app/gone", "/etc/ld.so.cache"];
  const before = tree({ "/etc/app": folder, ...Object.fromEntries(paths.map((path) => [path, file("1")])) });
  const after = tree({
    "/etc/app": folder,
    "/etc/app/edited": file("15"),
    "/etc/app/own": file("1"),
    "/etc/app/shipped": file("15"),
    "/etc/app/gone": file("15"),
    "/etc/ld.so.cache": file("15"),
    "/etc/new": folder,
    "/etc/new/edited": file("15"),
    "/etc/new/shipped": file("15"),
    "/etc/empty": folder,
    "/etc/theirs": folder,
  });
  const now = tree({
    "/etc/app": folder,
    "/etc/app/edited": file("40"),
    "/etc/app/own": file("40"),
    "/etc/app/shipped": { ...file("15"), ctime: "41" },
    "/etc/ld.so.cache": file("40"),
    "/etc/new": folder,
    "/etc/new/edited": file("40"),
    "/etc/new/shipped": file("15"),
    "/etc/empty": folder,
    "/etc/theirs": folder,
    "/etc/theirs/added": file("40"),
  });

  const found = plan({ before, after, now }, paths);

  expect(found).toEqual({
    putBack: ["/etc/app/shipped", "/etc/ld.so.cache"],
    folders: [],
    remove: ["/etc/new/shipped", "/etc/empty"],
    kept: [],
    edits: [
      ["/etc/app/edited", "changed", "/etc/app/edited"],
      ["/etc/app/gone", "deleted", "/etc/app/gone"],
      ["/etc/app/own", "changed", null],
      ["/etc/new/edited", "changed", null],
    ],
    uncovered: [],
  });
});

test("a rollback that was cut short takes nothing of what it put back for an edit", () => {
  const before = tree({ "/etc/app": file("1") });
  const after = tree({ "/etc/app": file("15") });
  const now = tree({ "/etc/app": { ...file("1"), ctime: "50" } });

  expect(plan({ before, after, now }, ["/etc/app"])).toMatchObject({ putBack: ["/etc/app"], edits: [] });
});
