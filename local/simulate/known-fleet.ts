import { KEYS } from "../../contract/names.ts";
import type { HostReport } from "../../contract/run.ts";
import { complianceOf } from "../../lambdas/fleet/compliance.ts";
import { withTold } from "../../lambdas/fleet/compliance-ledger.ts";
import type { SimulatedHost } from "./host.ts";

/** Days since the run before this one, after which all hosts were committed. */
const DAYS_AGO = 7;

/** What an earlier run over these hosts has left in the bucket, by key: what Systems Manager was told of them. Pure. */
export function knownFleet(fleet: string, hosts: readonly SimulatedHost[], nowMs: number): Record<string, unknown> {
  const told = complianceOf({ hosts: hosts.map(committed) });
  return { [KEYS.compliance(fleet)]: withTold({}, told, new Date(nowMs - DAYS_AGO * 86_400_000)) };
}

function committed({ instanceId, name }: SimulatedHost): HostReport {
  const nothing = { failure: null, packages: [], backupId: null, rollback: null, steps: [] };
  return { instanceId, name, wave: 0, outcome: "committed", ...nothing };
}
