import { KEYS } from "../../contract/names.ts";
import type { RunReport } from "../../contract/run.ts";
import { Compliance } from "../aws/compliance.ts";
import { type RunStore, UnfitObject } from "../aws/run-store.ts";
import { complianceOf } from "../fleet/compliance.ts";
import { ComplianceLedger, notYetTold, withTold } from "../fleet/compliance-ledger.ts";
import { logLine, type Surroundings } from "./define-handler.ts";

const compliance = new Compliance();
/** Of the report's fifteen minutes. Hosts that are left are told of by the next run. */
const FOR_MS = 480_000;
/** Reasons that one log line names. */
const NAMED = 5;

/**
 * Tells Systems Manager where each host stands, of those that it knows otherwise. The run is what it is, whether or not this can be
 * told: what goes wrong is said in the log.
 */
export async function tellCompliance(store: RunStore, report: RunReport, { now, clock }: Surroundings): Promise<void> {
  const { runId, fleet } = report;
  const key = KEYS.compliance(fleet);
  try {
    const ledger = await ledgerOf(store, key);
    const due = notYetTold(complianceOf(report), ledger, now);
    if (due.length === 0) return;
    const { told, untold } = await compliance.put(due, { runId, at: now }, { ms: clock() + FOR_MS, clock });
    if (told.length > 0) await store.write(key, withTold(ledger, told, now));
    if (untold.length > 0)
      logLine({ runId, message: "compliance not told", hosts: untold.length, first: untold.slice(0, NAMED) });
  } catch (error) {
    logLine({ runId, message: "compliance not told", error: (error as Error).message });
  }
}

/** A ledger that is damaged costs calls, nothing else: everybody is told of anew, and it is written anew. */
async function ledgerOf(store: RunStore, key: string): Promise<ComplianceLedger> {
  try {
    return (await store.read(key, ComplianceLedger)) ?? {};
  } catch (error) {
    if (error instanceof UnfitObject) return {};
    throw error;
  }
}
