import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { exec } from "../../../agent/host/exec.ts";
import { recordViolation } from "../../../agent/security/violations.ts";
import { Failure } from "../../../contract/failures.ts";

test("a violation is logged and kept once, wherever it passes; what is none is not", () => {
  const root = mkdtempSync(join(tmpdir(), "autopatch-violations-"));
  const logged: string[] = [];
  const log = { info() {}, warn() {}, error() {}, violation: ({ code }: Failure) => void logged.push(code) };
  const machine = { exec, clock: { now: () => new Date("2026-11-25T00:00:00Z"), sleep: async () => {} }, root, log };
  const split = new Failure("splitView", "two views");
  for (const failure of [split, split, new Failure("downloadFailed", "no mirror"), new Failure("pathUnsafe", "a link")])
    recordViolation(machine, "run-1", failure);

  const kept = readFileSync(join(root, "var/lib/autopatch/violations.jsonl"), "utf8").trim().split("\n");
  expect(logged).toEqual(["splitView", "pathUnsafe"]);
  expect(kept.map((line) => JSON.parse(line))).toEqual([
    { at: "2026-11-25T00:00:00.000Z", runId: "run-1", code: "splitView", message: "two views" },
    { at: "2026-11-25T00:00:00.000Z", runId: "run-1", code: "pathUnsafe", message: "a link" },
  ]);
  rmSync(root, { recursive: true, force: true });
});
