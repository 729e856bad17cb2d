import type { PatchPolicy } from "../../contract/request.ts";
import type { Plan } from "../../contract/step-report.ts";
import { readAptFacts } from "../host/apt.ts";
import type { Machine } from "../host/machine.ts";
import type { AptFacts } from "./apt-facts.ts";
import { makePlan } from "./plan.ts";

/** What apt resolves to right now, from the package lists as they are on the host. */
export async function resolvePlan(
  machine: Machine,
  policy: Pick<PatchPolicy, "operation" | "critical">,
): Promise<{ plan: Plan; facts: AptFacts }> {
  const facts = await readAptFacts(machine, policy.operation);
  return { plan: makePlan(facts, policy.critical), facts };
}
