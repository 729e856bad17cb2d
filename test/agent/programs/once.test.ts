import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { exec } from "../../../agent/host/exec.ts";
import type { Machine } from "../../../agent/host/machine.ts";
import { reportPath, runOnce, StillRunning } from "../../../agent/programs/once.ts";
import type { StepReport } from "../../../contract/step-report.ts";

const key = { runId: "run-1", step: "verify", attempt: 1 } as const;
const report: StepReport = {
  result: {
    contractVersion: 1,
    step: "verify",
    runId: "run-1",
    attempt: 1,
    instanceId: "i-00000000000000001",
    bootId: "boot-1",
    agentVersion: "1.0.0",
    startedAt: "2026-11-24T03:00:00.000Z",
    durationMs: 5,
    dryRun: false,
    reportKey: null,
    outcome: "nothingToDo",
    message: "no updates are pending",
  },
  timings: [{ part: "plan", ms: 4 }],
};

let root: string;
/** Milliseconds since 1970; each sleep moves it on. */
let time: number;
let slept: number[];
let machine: Machine;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "autopatch-once-"));
  time = 0;
  slept = [];
  const sleep = async (ms: number) => {
    slept.push(ms);
    time += ms;
  };
  machine = {
    exec,
    root,
    clock: { now: () => new Date(time), sleep },
    log: { info() {}, warn() {}, error() {}, violation() {} },
  };
  put("/proc/sys/kernel/random/boot_id", "boot-1\n");
  alive(process.pid, 777);
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

function put(path: string, content: string): void {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), content);
}

/** A process as /proc shows it; its name may hold anything. */
function alive(pid: number, startTime: number, state = "S"): void {
  put(`/proc/${pid}/stat`, `${pid} (a) b) ${state} 1 ${"0 ".repeat(17)}${startTime} 0 0\n`);
}

function claimed(who: { pid: number; startTime: string; bootId: string }, generation = 1): void {
  mkdirSync(join(root, "var/lib/autopatch"), { recursive: true, mode: 0o700 });
  put(`/var/lib/autopatch/runs/run-1/verify-1.claim-${generation}`, JSON.stringify(who));
}

const done = async () => report;
const never = async (): Promise<StepReport> => {
  throw new Error("it was done a second time");
};

test("the first does the work and records it, the second gets the record", async () => {
  expect(await runOnce(machine, key, 1_000, done)).toEqual({ report, repeated: false });
  expect(await runOnce(machine, key, 1_000, never)).toEqual({ report, repeated: true });
  expect(JSON.parse(readFileSync(join(root, reportPath(key)), "utf8"))).toEqual(report);
  expect(await runOnce(machine, { ...key, attempt: 2 }, 1_000, done)).toEqual({ report, repeated: false });
});

test("while another is at it, it is waited for, but not for ever", async () => {
  alive(4242, 99);
  claimed({ pid: 4242, startTime: "99", bootId: "boot-1" });
  await expect(runOnce(machine, key, 1_200, never)).rejects.toThrow(
    new StillRunning({ pid: 4242, startTime: "99", bootId: "boot-1" }),
  );
  expect(slept).toEqual([500, 500, 500]);
});

test.each([
  ["is gone", () => {}, { pid: 4242, startTime: "99", bootId: "boot-1" }],
  ["has its number taken by a later process", () => alive(4242, 100), { pid: 4242, startTime: "99", bootId: "boot-1" }],
  ["is a zombie", () => alive(4242, 99, "Z"), { pid: 4242, startTime: "99", bootId: "boot-1" }],
  ["ran before the last boot", () => alive(4242, 99), { pid: 4242, startTime: "99", bootId: "boot-0" }],
])("a claim whose process %s is taken over at once", async (_name, prepare, who) => {
  prepare();
  claimed(who);
  claimed(who, 2);
  expect(await runOnce(machine, key, 1_000, done)).toEqual({ report, repeated: false });
  expect(slept).toEqual([]);
});
