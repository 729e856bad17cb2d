import { type Lock, lockDigest } from "../../contract/lock.ts";
import { statusDigest } from "../backup/package-state.ts";
import { readConfig } from "../host/config.ts";
import { activeServices } from "../host/services.ts";
import { failingChecks } from "./health-checks.ts";
import { beginTransaction, type Transaction } from "./journal.ts";
import type { StepContext } from "./step.ts";

/** Starts the journal of a change, with what the host is like before it: what is up, and what is not well already. */
export async function beginChange({ machine, runId, policy }: StepContext, lock: Lock): Promise<Transaction> {
  return beginTransaction(machine, {
    runId,
    lockDigest: lockDigest(lock),
    services: await activeServices(machine),
    failingBefore: await failingChecks(machine),
    trialSeconds: policy.trialSeconds ?? readConfig(machine).AUTOPATCH_TRIAL_SECONDS,
    statusBefore: statusDigest(machine),
  });
}
