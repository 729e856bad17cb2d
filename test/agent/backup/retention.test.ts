import { expect, test } from "vitest";
import {
  type BackupFact,
  formatRetention,
  planRetention,
  type RetentionFacts,
} from "../../../agent/backup/retention.ts";

const NOW = new Date("2026-03-01T12:00:00Z");

/** A backup of some days ago. */
function backup(daysAgo: number, changes: Partial<BackupFact> = {}): BackupFact {
  const createdAt = new Date(NOW.getTime() - daysAgo * 86_400_000);
  return { id: `backup_${daysAgo}`, createdAt, bytes: 10, problem: null, ...changes };
}

/** What becomes of each, oldest first. */
function decided(backups: readonly BackupFact[], facts: Partial<RetentionFacts> = {}): string[] {
  const nothing = { all: null, some: new Map<string, string>() };
  const common = { latest: "backup_1", inUse: nothing, beingMade: new Set<string>(), now: NOW, days: 30 };
  return planRetention({ backups, ...common, ...facts }).map(
    (one) => `${one.kept ? "+" : "-"} ${one.id}: ${one.reason}`,
  );
}

test("what is older than the limit goes, and each is told with its reason", () => {
  expect(decided([backup(1), backup(29), backup(30), backup(200)])).toEqual([
    "- backup_200: is 200 days old, the limit is 30 days",
    "- backup_30: is 30 days old, the limit is 30 days",
    "+ backup_29: is 29 days old, less than 30 days",
    "+ backup_1: is the newest that is whole",
  ]);
});

test("however old, the newest that is whole stays, and so does the one that latest names", () => {
  const damaged = { problem: "files.tar.zst is not there" };
  expect(decided([backup(90), backup(80), backup(70, damaged), backup(60, damaged)], { latest: "backup_60" })).toEqual([
    "- backup_90: is 90 days old, the limit is 30 days",
    "+ backup_80: is the newest that is whole",
    "- backup_70: is 70 days old, the limit is 30 days; and damaged: files.tar.zst is not there",
    "+ backup_60: is where latest points",
  ]);
});

test("the way back of a change that is not committed stays", () => {
  const some = new Map([["backup_50", "is the way back of run r (trial)"]]);
  expect(decided([backup(1), backup(50), backup(60)], { inUse: { all: null, some } })).toEqual([
    "- backup_60: is 60 days old, the limit is 30 days",
    "+ backup_50: is the way back of run r (trial)",
    "+ backup_1: is the newest that is whole",
  ]);
});

test("while a restore is at work nothing goes", () => {
  const all = "process 7 is at work on run r (rollingBack)";
  expect(decided([backup(1), backup(60)], { inUse: { all, some: new Map() } })).toEqual([
    `+ backup_60: ${all}`,
    `+ backup_1: ${all}`,
  ]);
});

test("an unfinished one goes only when what made it is gone", () => {
  const [ours, left] = [backup(0, { id: "backup_0.tmp" }), backup(2, { id: "backup_2.tmp" })];
  expect(decided([backup(1), ours, left], { beingMade: new Set([ours.id]) })).toEqual([
    "- backup_2.tmp: was never finished: what made it is gone",
    "+ backup_1: is the newest that is whole",
    "+ backup_0.tmp: is being made",
  ]);
});

test("no day at all: only what must stay stays", () => {
  expect(decided([backup(0), backup(1)], { days: 0, latest: "backup_0" })).toEqual([
    "- backup_1: is 1 day old, the limit is 0 days",
    "+ backup_0: is the newest that is whole",
  ]);
});

test("the list says what became of each and how many", () => {
  const retained = [
    { id: "backup_2", bytes: 1, kept: false, reason: "is 40 days old, the limit is 30 days" },
    { id: "backup_1", bytes: 1, kept: true, reason: "is the newest that is whole" },
  ];
  expect(formatRetention(retained, true)).toBe(
    "would be removed: backup_2 is 40 days old, the limit is 30 days\nkept: backup_1 is the newest that is whole\n" +
      "1 would be removed, 1 kept. A pack that a kept backup shares stays until that goes too.\n",
  );
  expect(formatRetention([], false)).toBe("No backups.\n");
});
