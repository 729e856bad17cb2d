import { expect, test } from "vitest";
import type { Lock, LockEntry } from "../../../contract/lock.ts";
import { type CanaryLock, proveLocks } from "../../../lambdas/fleet/proven-locks.ts";

const entry = (name: string, version: string, digit = "a", from: string | null = "0.9"): LockEntry => ({
  name,
  architecture: "amd64",
  version,
  from,
  sha256: digit.repeat(64),
  size: 100,
  file: `${name}_${version}_amd64.deb`,
});
const BOOKWORM = { release: "bookworm", architecture: "amd64" };
const lock = (entries: readonly LockEntry[], removals: readonly string[] = []): Lock => ({
  ...BOOKWORM,
  entries: [...entries],
  removals: removals.map((name) => ({ name, architecture: "amd64", version: "0.9" })),
});
const canary = (name: string, of: Lock | string, kind = BOOKWORM): CanaryLock => ({ name, ...kind, lock: of });

test("one canary's lock is its kind's, sorted, without what was there before", () => {
  const own = lock([entry("zlib", "2.0"), entry("alpha", "2.0", "b")], ["obsolete"]);

  expect(proveLocks([canary("c1", own)])).toEqual({
    proven: [
      {
        kind: "bookworm-amd64",
        lock: lock([entry("alpha", "2.0", "b", null), entry("zlib", "2.0", "a", null)], ["obsolete"]),
        canaries: 1,
        leftOut: [],
      },
    ],
    unproven: [],
  });
});

test("of several canaries only what all of them did counts, and the rest is told", () => {
  const first = lock([entry("alpha", "2.0"), entry("beta", "2.0"), entry("gamma", "2.0")], ["old", "older"]);
  const second = lock([entry("alpha", "2.0", "a", "0.8"), entry("beta", "2.1", "c")], ["old"]);

  const [proven] = proveLocks([canary("c1", first), canary("c2", second)]).proven;

  expect(proven?.lock).toEqual(lock([entry("alpha", "2.0", "a", null)], ["old"]));
  expect(proven?.leftOut).toEqual([
    "beta 2.0: installed by 1 of 2 canaries alone",
    "beta 2.1: installed by 1 of 2 canaries alone",
    "gamma 2.0: installed by 1 of 2 canaries alone",
  ]);
});

test("a canary can take packages out of the lock and bring none in", () => {
  const honest = lock([entry("alpha", "2.0")]);
  const taken = lock([entry("alpha", "2.0"), entry("backdoor", "1.0", "f")]);

  const [proven] = proveLocks([canary("c1", honest), canary("c2", taken)]).proven;

  expect(proven?.lock.entries.map(({ name }) => name)).toEqual(["alpha"]);
});

test("kinds are proven each by their own canaries", () => {
  const arm = { release: "trixie", architecture: "arm64" };
  const other = { ...lock([entry("alpha", "3.0")]), ...arm };

  const { proven } = proveLocks([canary("c2", other, arm), canary("c1", lock([entry("alpha", "2.0")]))]);

  expect(proven.map(({ kind, lock: of }) => [kind, of.entries[0]?.version])).toEqual([
    ["bookworm-amd64", "2.0"],
    ["trixie-arm64", "3.0"],
  ]);
});

test.each<[string, readonly (Lock | string)[], string]>([
  [
    "whose lock nobody can tell",
    [lock([entry("alpha", "2.0")]), "its report of what it downloaded is not there"],
    "canary c2: its report of what it downloaded is not there",
  ],
  [
    "that have nothing in common",
    [lock([entry("alpha", "2.0")]), lock([entry("beta", "2.0")])],
    "its 2 canaries have no change in common",
  ],
  [
    "with other bytes under one version",
    [lock([entry("alpha", "2.0", "a")]), lock([entry("alpha", "2.0", "b")])],
    "security violation, split view: alpha 2.0 has SHA-256 bbbbbbbbbbbbbbbb… on c2, aaaaaaaaaaaaaaaa… on c1",
  ],
])("canaries %s leave their kind without a lock", (_what, locks, why) => {
  const canaries = locks.map((one, index) => canary(`c${index + 1}`, one));

  expect(proveLocks(canaries)).toEqual({ proven: [], unproven: [{ kind: "bookworm-amd64", why }] });
});
