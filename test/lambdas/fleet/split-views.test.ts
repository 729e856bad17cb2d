import { expect, test } from "vitest";
import { marksOf } from "../../../contract/release-seen.ts";
import { assessWave } from "../../../lambdas/fleet/assess.ts";
import type { HostResults } from "../../../lambdas/fleet/host-outcome.ts";
import { sentenceOf } from "../../../lambdas/fleet/sentence.ts";
import { findSplitViews } from "../../../lambdas/fleet/split-views.ts";
import { seen } from "../results.ts";
import { SNAPSHOT } from "../snapshot.ts";

const release = (repository: string, date: string, digit: string) => ({
  repository,
  suite: "s",
  date,
  sha256: digit.repeat(64),
});
const DEBIAN = "http://deb.debian.org/debian/dists/bookworm/";
const ours = (digit: string, date = "2026-11-20T08:00:00.000Z") =>
  marksOf([release(DEBIAN, date, digit), release("http://p/repo/", date, "f")]);

test("the same repository and date with other bytes is a split view, and nothing else is", () => {
  const perHost = new Map([
    ["a", ours("1")],
    ["b", ours("1")],
    ["c", ours("2")],
    ["behind", ours("3", "2026-11-20T02:00:00.000Z")],
    ["silent", []],
  ]);
  expect(findSplitViews(perHost)).toEqual([
    {
      repository: "deb.debian.org/debian/dists/bookworm/",
      date: new Date("2026-11-20T08:00:00.000Z"),
      views: [
        { sha: "1".repeat(16), hosts: ["a", "b"] },
        { sha: "2".repeat(16), hosts: ["c"] },
      ],
    },
  ]);
  perHost.delete("c");
  expect(findSplitViews(perHost)).toEqual([]);
});

test("the marks of a host are few, in an order of their own, and long names stay distinct", () => {
  const long = (end: string) => `https://packages.example/a/very/long/path/to/the/repository/of/${end}/dists/stable/`;
  const releases = [long("alpha"), long("omega"), ...Array.from({ length: 9 }, (_, i) => `http://m${i}/`)].map((one) =>
    release(one, "2026-11-20T08:00:00.000Z", "a"),
  );
  const marks = marksOf(releases);
  expect(marks).toHaveLength(8);
  expect(marksOf(releases.reverse())).toEqual(marks);
  const [alpha, omega] = marksOf([
    release(long("alpha"), "2026-11-20T08:00:00.000Z", "a"),
    release(long("omega"), "2026-11-20T08:00:00.000Z", "a"),
  ]);
  expect(alpha?.repository).toMatch(/^[0-9a-f]{16}:.{31}$/);
  expect(alpha?.repository).not.toBe(omega?.repository);
});

test("a wave whose hosts are shown something else than the canary was stops, within every budget, and the run's sentence says why", () => {
  const [canary, wave] = SNAPSHOT.waves;
  if (canary === undefined || wave === undefined) throw new Error("no such waves");
  const told = (id: string, digit: string): [string, HostResults] => {
    const results = seen({ preflight: "ok", download: "ok", verify: "ok" }, { instanceId: id });
    const verify = results.verify;
    if (verify === undefined || !("data" in verify)) throw new Error("no verify");
    return [id, { ...results, verify: { ...verify, data: { ...verify.data, seen: ours(digit) } } }];
  };
  const ids = wave.batches.flat();
  const names = new Map(SNAPSHOT.hosts.map(({ instanceId, name }) => [instanceId, name]));
  const earlier = new Map(canary.batches.flat().map((id) => told(id, "1")));
  const results = new Map(ids.map((id, at) => told(id, at === 0 ? "2" : "1")));
  const policy = { errorBudget: "100%", dryRun: false };

  const verdict = assessWave({ wave, results, names, earlier }, "prepare", policy);
  const same = assessWave(
    { wave, results: new Map(ids.map((id) => told(id, "1"))), names, earlier },
    "prepare",
    policy,
  );
  const sentence = sentenceOf(
    {
      outcome: "stopped",
      hosts: [],
      leftOut: [],
      dryRun: false,
      waves: [{ index: 1, name: wave.name, hosts: 4, verdicts: [verdict] }],
    },
    null,
  );

  expect(verdict).toMatchObject({
    decision: "stop",
    violation: true,
    reason:
      "security violation, split view: deb.debian.org/debian/dists/bookworm/ of 2026-11-20T08:00:00.000Z is not the same on web-02 as on 4 others",
  });
  expect(same.decision).toBe("continue");
  expect(sentence).toBe(`Stopped after ${wave.name}: ${verdict.reason}. No host was eligible.`);
});
