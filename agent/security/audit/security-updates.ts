import { HOST_PATHS } from "../../../contract/names.ts";
import type { PlannedPackage } from "../../../contract/step-report.ts";
import type { PackagePolicy } from "../../patch/apt-facts.ts";
import { archiveProblem } from "../../patch/archives.ts";
import { withCves } from "../../patch/package-cves.ts";
import { type Checker, count, draft, type Looked, looked, unknown } from "./checker.ts";

/** Security updates that could be installed now. */
export const securityUpdates: Checker = {
  id: "securityUpdates",
  title: "Pending security updates",
  run: async ({ machine, facts }) => {
    const { plan, facts: apt } = await facts.plan();
    if (!hasLists(apt.policies)) return unknown(NO_LISTS);
    // The changelogs lie in the .debs: of what download.sh has not fetched, nobody knows the CVEs yet.
    const fetched = (one: PlannedPackage) =>
      archiveProblem(machine, one, `${HOST_PATHS.archives}/${one.file}`) === null;
    return judgeUpdates(await withCves(machine, plan.packages, fetched));
  },
};

export const NO_LISTS = "there are no package lists: apt-get update fetches them";

/** Pure: without lists apt knows of no source for anything, and of no update. */
export function hasLists(policies: readonly PackagePolicy[]): boolean {
  return policies.some((policy) => policy.versions.some((version) => version.sources.length > 0));
}

/** Pure. */
export function judgeUpdates(packages: readonly PlannedPackage[]): Looked {
  const security = packages.filter((one) => one.security);
  const others = packages.filter((one) => !one.security && one.from !== null);
  return looked(
    draft(
      "securityUpdatesPending",
      security.some((one) => one.critical) ? "critical" : "high",
      (n) => `${count(n, "security update")} ${n === 1 ? "is" : "are"} pending`,
      security.map(line),
      "download.sh, then install.sh --backup",
    ),
    draft(
      "updatesPending",
      "info",
      (n) => `${count(n, "other update")} ${n === 1 ? "is" : "are"} pending`,
      others.map(line),
      "download.sh, then install.sh --backup",
    ),
  );
}

function line({ name, from, version, cves, cvesIncomplete }: PlannedPackage): string {
  const more = cvesIncomplete ? ["and perhaps more"] : [];
  const fixes = cves === null ? "CVEs not known before it is downloaded" : [...cves, ...more].join(", ");
  return `${name} ${from ?? "(new)"} -> ${version}${from === null || fixes === "" ? "" : `: ${fixes}`}`;
}
