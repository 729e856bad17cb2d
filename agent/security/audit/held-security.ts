import type { LeftOut } from "../../../contract/step-report.ts";
import type { PackagePolicy } from "../../patch/apt-facts.ts";
import { compareVersions } from "../../patch/debian-version.ts";
import { type Checker, count, draft, type Looked, looked, unknown } from "./checker.ts";
import { hasLists, NO_LISTS } from "./security-updates.ts";

/** Security updates that something keeps out. */
export const heldSecurity: Checker = {
  id: "heldSecurity",
  title: "Security updates that are kept out",
  comprehensive: true,
  run: async ({ facts }) => {
    const { plan, facts: apt } = await facts.plan();
    if (!hasLists(apt.policies)) return unknown(NO_LISTS);
    return judgeHeld(plan.leftOut, apt.policies);
  },
};

/** Pure. */
export function judgeHeld(leftOut: readonly LeftOut[], policies: readonly PackagePolicy[]): Looked {
  const security = leftOut.filter((one) =>
    policies.some(
      (policy) =>
        policy.name === one.name &&
        policy.versions.some(
          ({ version, sources }) =>
            compareVersions(version, one.installed) > 0 && sources.some((source) => /-security(\/|\s|$)/.test(source)),
        ),
    ),
  );
  return looked(
    draft(
      "securityUpdatesHeld",
      "high",
      (n) => `${count(n, "security update")} ${n === 1 ? "is" : "are"} kept out`,
      security.map((one) => `${one.name} ${one.installed} -> ${one.candidate}: ${one.reason}: ${one.message}`),
      "apt-mark unhold NAME, or take the pin or the policy's rule away",
    ),
  );
}
