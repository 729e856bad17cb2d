import {
  appendFileSync,
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import * as z from "zod";
import type { Machine } from "../../../agent/host/machine.ts";
import { kept, keyOf } from "../../../agent/telemetry/kept.ts";
import { healthProblems } from "../../../agent/telemetry/status.ts";
import { countViolations } from "../../../agent/telemetry/violation-counter.ts";
import { HOST_PATHS } from "../../../contract/names.ts";

let root: string;
let now: Date;
let machine: Machine;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "autopatch-telemetry-"));
  now = new Date("2026-11-25T00:00:00Z");
  machine = { root, clock: { now: () => now, sleep: async () => {} } } as unknown as Machine;
  mkdirSync(join(root, HOST_PATHS.logs), { recursive: true });
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

describe("a value that is dear to find out", () => {
  let asked = 0;
  const ask = (key: string) =>
    kept(machine, "answer", { schema: z.int(), key, maximumAgeMs: 60_000 }, async () => ++asked);
  beforeEach(() => {
    asked = 0;
  });

  test("is found out once for the same key, and again for another, or when it is old", async () => {
    expect(await ask("a")).toEqual({ value: 1, at: "2026-11-25T00:00:00.000Z" });
    now = new Date("2026-11-25T00:00:59Z");
    expect(await ask("a")).toEqual({ value: 1, at: "2026-11-25T00:00:00.000Z" });
    expect((await ask("b")).value).toBe(2);
    now = new Date("2026-11-25T00:02:00Z");
    expect((await ask("b")).value).toBe(3);
  });

  test("a clock set back, or a file that was meddled with, is no reason to believe it", async () => {
    await ask("a");
    now = new Date("2026-11-24T00:00:00Z");
    expect((await ask("a")).value).toBe(2);
    writeFileSync(join(root, HOST_PATHS.state, "answer.json"), "{");
    expect((await ask("a")).value).toBe(3);
  });

  test("a key changes with a file's content, and with what replaces it", () => {
    const file = join(root, "/list");
    const key = () => keyOf(machine, ["/list"]);
    const absent = key();
    writeFileSync(file, "a");
    const first = key();
    expect(first).not.toBe(absent);
    expect(key()).toBe(first);
    writeFileSync(file, "ab");
    expect(key()).not.toBe(first);
    expect(keyOf(machine, ["/list"], "policy")).not.toBe(key());
  });
});

describe("violations as a counter that never falls", () => {
  const log = (name: string) => join(root, HOST_PATHS.logs, name);
  const LINE = "2026-11-25T00:00:00Z ERROR install[1]: SÉCURITÉ COMPROMISE: hashMismatch: x\n";

  test("each line counts once, whoever wrote it; half a line when it is whole", () => {
    expect(countViolations(machine)).toBe(0);
    writeFileSync(log("autopatch-manager.log"), `${LINE}fine\n`);
    writeFileSync(log("health.log"), LINE);
    expect(countViolations(machine)).toBe(2);
    expect(countViolations(machine)).toBe(2);
    appendFileSync(log("autopatch-manager.log"), LINE.slice(0, 60));
    expect(countViolations(machine)).toBe(2);
    appendFileSync(log("autopatch-manager.log"), LINE.slice(60));
    expect(countViolations(machine)).toBe(3);
  });

  test("rotation by renaming: what came between the last look and the rotation counts, nothing counts twice", () => {
    writeFileSync(log("autopatch-manager.log"), LINE);
    expect(countViolations(machine)).toBe(1);
    appendFileSync(log("autopatch-manager.log"), LINE);
    renameSync(log("autopatch-manager.log"), log("autopatch-manager.log.1"));
    writeFileSync(log("autopatch-manager.log"), LINE);
    expect(countViolations(machine)).toBe(3);
    rmSync(log("autopatch-manager.log.1"));
    expect(countViolations(machine)).toBe(3);
  });

  test("rotation by cutting, and all logs gone", () => {
    writeFileSync(log("autopatch-manager.log"), LINE.repeat(3));
    expect(countViolations(machine)).toBe(3);
    truncateSync(log("autopatch-manager.log"));
    appendFileSync(log("autopatch-manager.log"), LINE);
    expect(countViolations(machine)).toBe(4);
    rmSync(join(root, HOST_PATHS.logs), { recursive: true });
    expect(countViolations(machine)).toBe(4);
    expect(statSync(join(root, HOST_PATHS.state, "violations-seen.json")).mode & 0o777).toBe(0o600);
  });
});

const BACKUPS = { count: 1, latest: "b", latestAt: null, valid: true, problem: null };
const HEALTHY = { transaction: null, backups: BACKUPS, figures: { securityViolations: 0 } };
const change = (state: string, open: boolean) => ({ runId: "r", state, open, since: null });
test.each([
  [HEALTHY, []],
  [{ ...HEALTHY, transaction: change("committed", false) }, []],
  [
    {
      transaction: change("trial", true),
      backups: { ...BACKUPS, valid: false, problem: "cut" },
      figures: { securityViolations: 2 },
    },
    [
      "the change of run r is unfinished: trial",
      "2 security violations are in the logs",
      "the newest backup cannot be used: cut",
    ],
  ],
  [{ ...HEALTHY, backups: { ...BACKUPS, count: 0, latest: null, valid: null } }, []],
])("what keeps a host from being called healthy (%#)", (health, problems) => {
  expect(healthProblems(health)).toEqual(problems);
});
