import { linkSync, readFileSync, rmSync } from "node:fs";
import * as z from "zod";
import { HOST_PATHS } from "../../contract/names.ts";
import { StepReport } from "../../contract/step-report.ts";
import type { StepName } from "../../contract/steps.ts";
import { codeOf, onMachine, ownFolder, readOwn, writeOwn } from "../host/files.ts";
import { isRunning, ownProcess, type ProcessIdentity } from "../host/identity.ts";
import type { Machine } from "../host/machine.ts";

/**
 * SendCommand has no client token: a retried call reaches the host twice. The first to claim (run, step, attempt) does the
 * work and records its report; the others wait for it and answer the same. A claim whose process is dead is taken over by the
 * next higher number, which only one can link.
 */
export interface StepKey {
  readonly runId: string;
  readonly step: StepName;
  readonly attempt: number;
}

const Claim = z.object({ pid: z.int(), startTime: z.string(), bootId: z.string() });
const POLL_MS = 500;

/** The first is still at it after the longest wait. */
export class StillRunning extends Error {
  override readonly name = "StillRunning";
  readonly owner: ProcessIdentity;

  constructor(owner: ProcessIdentity) {
    super(`process ${owner.pid} is still at work on this very step`);
    this.owner = owner;
  }
}

/** Path of a step's recorded report. */
export function reportPath({ runId, step, attempt }: StepKey): string {
  return `${HOST_PATHS.state}/runs/${runId}/${step}-${attempt}.json`;
}

/**
 * Runs the work unless it was done already, and records its report.
 * @param maxWaitMs how long to wait for another process that is at it
 * @throws StillRunning
 */
export async function runOnce(
  machine: Machine,
  key: StepKey,
  maxWaitMs: number,
  work: () => Promise<StepReport>,
): Promise<{ report: StepReport; repeated: boolean }> {
  const folder = `${HOST_PATHS.state}/runs/${key.runId}`;
  for (const path of [HOST_PATHS.state, `${HOST_PATHS.state}/runs`, folder]) ownFolder(machine, path, 0o700);
  const until = machine.clock.now().getTime() + maxWaitMs;
  for (let generation = 1; ; ) {
    const done = recorded(machine, key);
    if (done !== null) return { report: done, repeated: true };
    const claim = `${folder}/${key.step}-${key.attempt}.claim-${generation}`;
    if (tryClaim(machine, claim)) break;
    const owner = readClaim(machine, claim);
    if (owner === null || !isRunning(machine, owner)) {
      generation++;
      continue;
    }
    if (machine.clock.now().getTime() >= until) throw new StillRunning(owner);
    await machine.clock.sleep(POLL_MS);
  }
  // Between the look and the claim another may have finished.
  const done = recorded(machine, key);
  if (done !== null) return { report: done, repeated: true };
  const report = await work();
  writeOwn(machine, reportPath(key), `${JSON.stringify(report)}\n`, 0o600);
  return { report, repeated: false };
}

/** What a step answered; null when it has not ended. */
export function recorded(machine: Machine, key: StepKey): StepReport | null {
  const text = readOwn(machine, reportPath(key));
  return text === null ? null : StepReport.parse(JSON.parse(text));
}

/** Makes the claim with its content at once: a link either appears whole or not at all. */
function tryClaim(machine: Machine, claim: string): boolean {
  const beside = `${claim}.${process.pid}`;
  writeOwn(machine, beside, JSON.stringify(ownProcess(machine)), 0o600);
  try {
    linkSync(onMachine(machine, beside), onMachine(machine, claim));
    return true;
  } catch (error) {
    if (codeOf(error) === "EEXIST") return false;
    throw error;
  } finally {
    rmSync(onMachine(machine, beside), { force: true });
  }
}

function readClaim(machine: Machine, claim: string): ProcessIdentity | null {
  try {
    return Claim.parse(JSON.parse(readFileSync(onMachine(machine, claim), "utf8")));
  } catch {
    return null;
  }
}
