import { expect, test } from "vitest";
import type { PackageState } from "../../../agent/backup/manifest.ts";
import { changesBack, marksBack, toPurge } from "../../../agent/backup/package-changes.ts";
import type { KeptDeb } from "../../../agent/backup/previous-debs.ts";

const state = (packages: string[], autoMarks: string[] = [], holds: string[] = []): PackageState => ({
  packages,
  autoMarks,
  holds,
});
const deb = (name: string, version: string, architecture = "amd64"): KeptDeb => ({
  from: "cache",
  name,
  architecture,
  version,
  file: `${name}.deb`,
  sha256: "0".repeat(64),
  size: 1,
  verified: true,
});

test("what changed goes back by its .deb, what is gone comes again by name, what is new goes; what has no .deb is named", () => {
  const was = state([
    "same amd64 1 ii ",
    "up amd64 1 ii ",
    "held amd64 1 hi ",
    "gone all 1 ii ",
    "lost amd64 1 ii ",
    "rest amd64 1 rc ",
  ]);
  const is = state([
    "same amd64 1 ii ",
    "up amd64 2 iF ",
    "held amd64 2 hi ",
    "gone all 1 rc ",
    "lost amd64 2 ii ",
    "new amd64 1 ii ",
  ]);
  const debs = [deb("up", "1"), deb("held", "1"), deb("gone", "1", "all"), deb("lost", "0")];

  expect(changesBack(was, is, debs)).toEqual({
    debs: debs.slice(0, 3),
    again: ["gone"],
    removals: [{ name: "new", architecture: "amd64", version: "1" }],
    lacking: ["lost 1"],
  });
});

test("a package that became independent of the architecture is replaced, not removed", () => {
  const changes = changesBack(state(["tool amd64 1 ii "]), state(["tool all 2 ii "]), [deb("tool", "1")]);
  expect(changes).toMatchObject({ again: [], removals: [] });
});

test("marks and holds are set back only where they differ and the package is there; only unknown remains are purged", () => {
  const was = state(["a amd64 1 ii ", "b amd64 1 ii ", "old amd64 1 rc "], ["a", "missing"], ["b"]);
  const is = state(["a amd64 1 ii ", "b amd64 1 ii ", "old amd64 1 rc ", "new amd64 1 rc "], ["b"], ["a"]);

  expect(marksBack(was, is)).toEqual([
    ["auto", "a"],
    ["manual", "b"],
    ["hold", "b"],
    ["unhold", "a"],
  ]);
  expect(marksBack(was, was)).toEqual([]);
  expect(toPurge(was, is)).toEqual(["new"]);
});
