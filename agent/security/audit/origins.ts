import type { PackagePolicy } from "../../patch/apt-facts.ts";
import { type Checker, count, draft, type Looked, looked, notApplicable } from "./checker.ts";
import { hasLists, NO_LISTS } from "./security-updates.ts";

/** Packages that nobody will ever update. */
export const origins: Checker = {
  id: "origins",
  title: "Packages that no configured source has",
  comprehensive: true,
  run: async ({ facts }) => judgeOrigins((await facts.plan()).facts.policies),
};

/** Pure. */
export function judgeOrigins(policies: readonly PackagePolicy[]): Looked {
  if (!hasLists(policies)) return notApplicable(NO_LISTS);
  const orphans = policies.filter((one) => one.versions.every((version) => version.sources.length === 0));
  return looked(
    draft(
      "packagesWithoutSource",
      "low",
      (n) => `${count(n, "package")} ${n === 1 ? "is" : "are"} in no configured source: no update will ever come`,
      orphans.map((one) => `${one.name} ${one.installed}`),
      "Configure the source it came from, or apt-get purge NAME",
    ),
  );
}
