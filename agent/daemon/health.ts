import * as z from "zod";
import { asFailure } from "../../contract/failures.ts";
import { HOST_PATHS } from "../../contract/names.ts";
import type { Config } from "../host/config.ts";
import { ownFolder, readOwn, writeOwn } from "../host/files.ts";
import type { Machine } from "../host/machine.ts";
import { ownerAlive, readJournal } from "../patch/journal.ts";
import { reasonToGoBack, trialClock } from "../patch/trial-clock.ts";
import { sendAlert } from "../telemetry/alert.ts";
import { healthProblems, readHealth } from "../telemetry/status.ts";

const PATH = `${HOST_PATHS.state}/health.json`;
/** `told`: whether the topic got to know. */
const Seen = z.object({ problems: z.array(z.string()), told: z.boolean() });
type Seen = z.infer<typeof Seen>;

/**
 * Looks at the host's health and tells of a change, in the log and to AUTOPATCH_ALERT_TOPIC; of what stays as it is nothing is said. An
 * alert that could not be sent is sent again with the next look.
 * @returns what is wrong now
 */
export async function watchHealth(machine: Machine, config: Config): Promise<readonly string[]> {
  const problems = await problemsOf(machine);
  const before = readSeen(machine);
  const isNew = JSON.stringify(problems) !== JSON.stringify(before.problems);
  if (!isNew && before.told) return problems;
  const well = problems.length === 0;
  const text = well ? "it is well again" : problems.join("; ");
  if (isNew && well) machine.log.info(`health: ${text}`);
  if (isNew && !well) machine.log.warn(`health: ${text}`);
  const alert = await sendAlert(machine, config, well ? "healthy again" : "not healthy", `${text}\n`);
  ownFolder(machine, HOST_PATHS.state, 0o700);
  const seen: Seen = { problems, told: alert === null || alert.problem === null };
  writeOwn(machine, PATH, `${JSON.stringify(seen)}\n`, 0o600);
  return problems;
}

/** A host whose health cannot be read is not well either. */
async function problemsOf(machine: Machine): Promise<string[]> {
  try {
    const health = await readHealth(machine);
    return healthProblems(isPatching(machine) ? { ...health, transaction: null } : health);
  } catch (error) {
    return [asFailure(error).message];
  }
}

/** A change that somebody works on, or that is on trial within its time, is no reason to wake anybody: each update would be one. */
function isPatching(machine: Machine): boolean {
  const transaction = readJournal(machine);
  if (transaction === null) return false;
  if (transaction.state !== "trial") return ownerAlive(machine, transaction);
  const clock = trialClock(machine, transaction.runId);
  return clock !== null && reasonToGoBack(clock) === null;
}

/** What cannot be read is as if nothing had been seen: rather told twice than not at all. */
function readSeen(machine: Machine): Seen {
  try {
    return Seen.parse(JSON.parse(readOwn(machine, PATH) ?? ""));
  } catch {
    return { problems: [], told: true };
  }
}
