import type { PatchPolicy } from "../../contract/request.ts";
import type { Machine } from "../host/machine.ts";
import { isActive } from "../host/services.ts";
import { readJournal } from "../patch/journal.ts";
import { rebootReasons } from "../patch/reboot.ts";
import { AGENT_VERSION } from "../version.ts";
import { backupState } from "./backup-state.ts";
import { hostFigures } from "./figures.ts";
import { lastDurations, lastUpdate } from "./history.ts";
import type { MetricFacts } from "./metrics.ts";
import { pendingUpdates } from "./pending.ts";
import { countViolations } from "./violation-counter.ts";
import { DAEMON_UNIT, ownBytes } from "./watched-figures.ts";

/** Everything the metrics tell, read from the host. */
export async function readMetricFacts(machine: Machine, policy: PatchPolicy): Promise<MetricFacts> {
  const [pending, daemonActive] = await Promise.all([pendingUpdates(machine, policy), isActive(machine, DAEMON_UNIT)]);
  return {
    agentVersion: AGENT_VERSION,
    figures: hostFigures(machine),
    violations: countViolations(machine),
    lastUpdate: lastUpdate(machine),
    diskBytes: ownBytes(machine),
    daemonActive,
    pending,
    change: readJournal(machine)?.state ?? null,
    backups: await backupState(machine),
    rebootRequired: (await rebootReasons(machine)).length > 0,
    durations: lastDurations(machine),
  };
}
