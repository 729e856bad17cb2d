import { expect, test } from "vitest";
import { addAccepted, findingOf, type ReleaseRecord } from "../../../agent/security/release-record.ts";

const REPOSITORY = "http://m/debian/dists/s/";
const at = (hour: number) => new Date(Date.UTC(2026, 10, 20, hour)).toISOString();
const seen = (hour: number, digit = "a") => ({
  repository: REPOSITORY,
  suite: "s",
  date: at(hour),
  sha256: digit.repeat(64),
});
const NOW = new Date(at(100));

function recordOf(...hours: number[]): ReleaseRecord {
  return addAccepted(
    {},
    hours.map((hour) => seen(hour)),
    NOW,
  );
}

test.each([
  ["the first of its repository", {}, seen(10), null],
  ["the same again", recordOf(48), seen(48), null],
  ["a newer one", recordOf(48), seen(72, "b"), null],
  ["one of a mirror that is a day behind", recordOf(48), seen(24, "b"), null],
  [
    "an older one",
    recordOf(48),
    seen(23, "b"),
    `metadataStale: ${REPOSITORY}: its Release of ${at(23)} is older than the one of ${at(48)} accepted on ${at(100)}; mirrors may be 24 hours behind each other`,
  ],
  ["one led back step by step: the newest counts", recordOf(48, 30), seen(20, "b"), /^metadataStale: /],
  [
    "another of the same date",
    recordOf(24, 48),
    seen(24, "b"),
    `splitView: ${REPOSITORY}: its Release of ${at(24)} has SHA-256 ${"b".repeat(64)}; the one of the same date accepted on ${at(100)} had ${"a".repeat(64)}: not everybody is shown the same`,
  ],
  ["an older one of another repository", recordOf(48), { ...seen(1), repository: "http://n/" }, null],
])("a Release that is %s", (_name, record, one, why) => {
  const finding = findingOf(record as ReleaseRecord, one, 24);
  const said = finding === null ? null : `${finding.code}: ${finding.message}`;
  if (why instanceof RegExp) expect(said).toMatch(why);
  else expect(said).toBe(why);
});

test("of each repository the newest fifty are kept, in order, each with the time it was first accepted", () => {
  const hours = Array.from({ length: 60 }, (_, hour) => hour);
  const record = addAccepted(recordOf(...hours.reverse()), [seen(59)], new Date(at(200)));
  const kept = record[REPOSITORY] ?? [];
  expect(kept).toHaveLength(50);
  expect([kept[0]?.date, kept.at(-1)?.date]).toEqual([at(10), at(59)]);
  expect(new Set(kept.map(({ acceptedAt }) => acceptedAt))).toEqual(new Set([at(100)]));
});
