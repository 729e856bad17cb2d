import { expect, test } from "vitest";
import type { BackupEntry, Manifest, Pack } from "../../../agent/backup/manifest.ts";
import { framesWith } from "../../../agent/backup/pack-reader.ts";
import { MOST_PACKS, planReuse } from "../../../agent/backup/reuse.ts";
import type { PathStat, Tree } from "../../../agent/host/tree.ts";

const SCANNED = "2026-02-01T00:00:00.000Z";
const long = (days: number) => `${BigInt(Date.parse(SCANNED) - days * 86_400_000)}000000`;

function stat(changes: Partial<PathStat> = {}): PathStat {
  const common = { type: "file", mode: 0o644, uid: 0, gid: 0, target: null, shared: null } as const;
  return { ...common, size: 10_000, mtime: long(9), ctime: long(9), ...changes };
}
const tree = (paths: Record<string, PathStat>): Tree => ({ paths: new Map(Object.entries(paths)), skipped: [] });

function entry(path: string, pack = 0): BackupEntry {
  const common = { path, mode: 0o644, uid: 0, gid: 0, mtime: long(9), pack };
  return { type: "file", ...common, size: 10_000, sha256: "a".repeat(64) };
}
function pack(plainBytes: number): Pack {
  const madeFor = "backup_20260101T000000Z";
  return { file: "files.tar.zst", madeFor, bytes: 1, sha256: "b".repeat(64), plainBytes, frames: [] };
}
function reuse(entries: BackupEntry[], packs: Pack[], before: Tree, now: Tree) {
  const manifest = { id: "backup_20260201T000000Z", scannedAt: SCANNED, entries, packs } as unknown as Manifest;
  const { kept, doubtful, packs: taken } = planReuse({ manifest, before }, now, [...now.paths.keys()].sort());
  return { kept: [...kept.keys()], doubtful: [...doubtful.keys()], packs: [...taken.keys()] };
}

test("kept is what no look can tell from then; what was only touched is read; the rest is packed", () => {
  const names = ["/etc/edited", "/etc/racy", "/etc/same", "/etc/touched"];
  const racy = `${BigInt(Date.parse(SCANNED) - 1_000)}000000`;
  const before = tree({
    "/etc/edited": stat(),
    "/etc/racy": stat({ ctime: racy }),
    "/etc/same": stat(),
    "/etc/touched": stat(),
  });
  const now = tree({
    "/etc/edited": stat({ ctime: long(-1), mtime: long(-1) }),
    "/etc/new": stat(),
    "/etc/racy": stat({ ctime: racy }),
    "/etc/same": stat(),
    "/etc/touched": stat({ ctime: long(-1) }),
  });
  expect(
    reuse(
      names.map((name) => entry(name)),
      [pack(50_000)],
      before,
      now,
    ),
  ).toEqual({
    kept: ["/etc/same"],
    doubtful: ["/etc/racy", "/etc/touched"],
    packs: [0],
  });
});

test("a pack of which less than half is wanted is let go, the others stay", () => {
  const names = ["/etc/a", "/etc/b"];
  const looks = tree({ "/etc/a": stat(), "/etc/b": stat() });
  expect(reuse([entry("/etc/a", 0), entry("/etc/b", 1)], [pack(30_000), pack(20_000)], looks, looks)).toEqual({
    kept: [names[1]],
    doubtful: [],
    packs: [1],
  });
});

test("too many packs: everything afresh", () => {
  const names = Array.from({ length: MOST_PACKS + 1 }, (_, i) => `/etc/${i}`);
  const looks = tree(Object.fromEntries(names.map((name) => [name, stat()])));
  const packs = names.map(() => pack(12_000));
  expect(reuse(names.map(entry), packs, looks, looks)).toEqual({ kept: [], doubtful: [], packs: [] });
});

test("of a pack only the frames that hold what is wanted are read, those that go on included", () => {
  const frames = ["/a", "/c", null, "/m", "/x"].map((first) => ({ bytes: 1, first }));
  expect(framesWith(frames, ["/b"])).toEqual([true, false, false, false, false]);
  expect(framesWith(frames, ["/c", "/z"])).toEqual([false, true, true, false, true]);
  expect(framesWith(frames, ["/A"])).toEqual([false, false, false, false, false]);
});
