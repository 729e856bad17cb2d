import { expect, test } from "vitest";
import { beyondFleetLock, decideFleet, viewOf } from "../../../agent/patch/fleet-plan.ts";
import type { Lock, LockEntry } from "../../../contract/lock.ts";

const entry = (name: string, architecture = "amd64", version = "2"): LockEntry => ({
  name,
  architecture,
  version,
  from: "0",
  sha256: "a".repeat(64),
  size: 1,
  file: `${name}_${version}_${architecture}.deb`,
});
const LOCK: Lock = {
  release: "bookworm",
  architecture: "amd64",
  entries: ["behind", "same", "newer", "held", "gone"].map((name) => entry(name)).concat(entry("data", "all")),
  removals: [{ name: "old", architecture: "amd64", version: "1" }],
};
const present = (name: string, version: string, architecture = "amd64") => ({ name, architecture, version });
const INSTALLED = [
  present("behind", "1"),
  present("same", "2"),
  present("newer", "3"),
  present("held", "1"),
  present("gone", "1", "i386"),
  present("data", "1"),
  present("own", "1"),
];
const VIEW = viewOf(LOCK, INSTALLED, ["held"]);
const inst = (one: LockEntry) => ({ ...one, origins: [] });
const removed = (name: string) => ({ name, architecture: null, version: "1" });

test("of a fleet lock a host gets what it has in an older version; every other package has its reason", () => {
  expect(VIEW.wanted).toEqual([
    { ...entry("behind"), from: "1" },
    { ...entry("data", "all"), from: "1" },
  ]);
  expect(VIEW.absent).toEqual([{ ...entry("gone"), from: null }]);
  expect(VIEW.leftOut.map(({ name, reason }) => `${name} ${reason}`)).toEqual([
    "same alreadyInstalled",
    "newer newerInstalled",
    "held held",
  ]);
});

test("what apt would do with the lock's packages alone is what the host does", () => {
  const available = [...VIEW.wanted, ...VIEW.absent];
  const alone = decideFleet(LOCK, VIEW, VIEW.wanted, { installs: VIEW.wanted.map(inst), removals: [] });
  const needing = decideFleet(LOCK, VIEW, available, { installs: available.map(inst), removals: [removed("old")] });

  expect(alone).toMatchObject({ entries: VIEW.wanted, removals: [], problems: [] });
  expect(alone.leftOut.at(-1)).toMatchObject({ name: "gone", reason: "notInstalled" });
  expect(needing).toMatchObject({ entries: available, problems: [] });
  expect(needing.removals).toEqual([{ name: "old", architecture: "amd64", version: "1" }]);
  expect(needing.leftOut.map(({ name }) => name)).not.toContain("gone");
});

test("a package apt cannot install, and a removal that was not proven, are problems", () => {
  const one = VIEW.wanted.slice(0, 1);
  const decision = decideFleet(LOCK, VIEW, VIEW.wanted, { installs: one.map(inst), removals: [removed("own")] });
  expect(decision.problems).toEqual([
    "cannot install data 2 with the fleet lock's packages alone",
    "would remove own, which the fleet lock keeps",
  ]);
});

test("a host's lock is within its fleet lock down to the bytes, or what is beyond is named", () => {
  const host: Lock = { ...LOCK, entries: [{ ...entry("behind"), from: "1" }] };
  expect(beyondFleetLock(host, LOCK)).toEqual([]);
  const other = { ...host, entries: [{ ...entry("behind"), sha256: "b".repeat(64) }, entry("door")] };
  expect(beyondFleetLock({ ...other, removals: [...LOCK.removals, present("own", "1")] }, LOCK)).toEqual([
    "installs behind 2",
    "installs door 2",
    "removes own",
  ]);
});
