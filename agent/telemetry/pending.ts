import * as z from "zod";
import type { PatchPolicy } from "../../contract/request.ts";
import { LeftOut, PlannedPackage } from "../../contract/step-report.ts";
import type { Machine } from "../host/machine.ts";
import { kept, keyOf, withChildren } from "./kept.ts";

const Plan = z.object({
  total: z.int(),
  security: z.int(),
  critical: z.array(z.string()),
  downloadBytes: z.int(),
  packages: z.array(PlannedPackage.pick({ name: true, from: true, version: true, security: true })),
  leftOut: z.array(LeftOut),
});

/** What is pending by the package lists as they are; they are not refreshed. */
export type Pending = z.infer<typeof Plan> & {
  /** When apt was asked; null when it could not answer. */
  readonly plannedAt: string | null;
  /** Why it is not known; null when it is. */
  readonly problem: string | null;
};

const HOUR_MS = 3_600_000;

/**
 * What is pending. apt's resolver takes most of a second: its answer is kept for as long as the package lists, dpkg's and apt's own records
 * and their configuration are what they were, and for six hours; one when the policy lets updates ripen, for time alone changes
 * the answer then.
 */
export async function pendingUpdates(machine: Machine, policy: PatchPolicy): Promise<Pending> {
  const key = keyOf(machine, inputs(machine), JSON.stringify(policy));
  const maximumAgeMs = (policy.minimumAgeDays > 0 ? 1 : 6) * HOUR_MS;
  try {
    const { value, at } = await kept(machine, "pending", { schema: Plan, key, maximumAgeMs }, () =>
      plan(machine, policy),
    );
    return { ...value, plannedAt: at, problem: null };
  } catch (error) {
    const problem = (error as Error).message;
    const none = { total: 0, security: 0, critical: [], downloadBytes: 0, packages: [], leftOut: [] };
    return { ...none, plannedAt: null, problem };
  }
}

/** Everything that apt's answer depends on. */
function inputs(machine: Machine): string[] {
  const folders = ["/var/lib/apt/lists", "/etc/apt", "/etc/apt/sources.list.d"];
  const settings = ["/etc/apt/preferences.d", "/etc/apt/apt.conf.d", "/etc/apt/trusted.gpg.d", "/etc/apt/keyrings"];
  return [
    "/var/lib/dpkg/status",
    "/var/lib/apt/extended_states",
    ...[...folders, ...settings].flatMap((folder) => withChildren(machine, folder)),
  ];
}

async function plan(machine: Machine, policy: PatchPolicy): Promise<z.infer<typeof Plan>> {
  const { resolvePlan } = await import("../patch/resolver.ts");
  const { plan: found } = await resolvePlan(machine, policy);
  return {
    total: found.packages.length + found.removals.length,
    security: found.packages.filter((p) => p.security).length,
    critical: found.packages.filter((p) => p.critical).map((p) => p.name),
    downloadBytes: found.downloadBytes,
    packages: found.packages.map(({ name, from, version, security }) => ({ name, from, version, security })),
    leftOut: found.leftOut,
  };
}
