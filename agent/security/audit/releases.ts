import { asFailure } from "../../../contract/failures.ts";
import { readIndexTargets } from "../../host/apt-indexes.ts";
import { readAptSources } from "../../host/apt-sources.ts";
import { verifyRelease } from "../../patch/releases.ts";
import { type Freshness, stalenessOf } from "../release-file.ts";
import { type Checker, count, draft, type Looked, looked, notApplicable, unknown } from "./checker.ts";
import { NO_LISTS } from "./security-updates.ts";

/** What became of one repository's Release file. */
export interface ReleaseSeen {
  readonly name: string;
  /** What is wrong with its signature; null when it holds. */
  readonly unsigned: string | null;
  /** Why it is too old to be believed; null when it is fresh, or unsigned. */
  readonly stale: string | null;
  /** Why nobody can say. */
  readonly unknown: string | null;
}

/** Signature and age of every Release file that apt would plan from. */
export const releases: Checker = {
  id: "releases",
  title: "Signatures and age of the package lists",
  run: async ({ machine, policy }) => {
    const all = readAptSources(machine);
    const groups = Map.groupBy(await readIndexTargets(machine), (index) => index.prefix);
    // Each source's age is held to its own promise here, whatever apt was told to overlook.
    const limits: Freshness = {
      now: machine.clock.now(),
      maximumAgeDays: policy.maximumMetadataAgeDays,
      holdsValidUntil: true,
    };
    const seen = [...groups].map(async ([prefix, indexes]): Promise<ReleaseSeen> => {
      const name = indexes[0]?.baseUri ?? prefix;
      const none = { name, unsigned: null, stale: null, unknown: null };
      try {
        const { release } = await verifyRelease(machine, all, prefix, indexes);
        return { ...none, stale: stalenessOf(release, limits) };
      } catch (error) {
        const failure = asFailure(error);
        const key = failure.code === "signatureInvalid" ? "unsigned" : "unknown";
        return { ...none, [key]: failure.message };
      }
    });
    return judgeReleases(await Promise.all(seen));
  },
};

/** Pure. */
export function judgeReleases(seen: readonly ReleaseSeen[]): Looked {
  if (seen.length === 0) return notApplicable(NO_LISTS);
  const lines = (key: "unsigned" | "stale") =>
    seen.flatMap((one) => (one[key] === null ? [] : [`${one.name}: ${one[key]}`]));
  const found = looked(
    draft(
      "releasesUnsigned",
      "critical",
      (n) => `${count(n, "package list")} ${n === 1 ? "has" : "have"} no valid signature`,
      lines("unsigned"),
      "apt-get update; if it stays so, distrust the mirror and take the source out",
    ),
    draft(
      "releasesStale",
      "high",
      (n) => `${count(n, "package list")} ${n === 1 ? "is" : "are"} too old to be believed`,
      lines("stale"),
      "apt-get update; if it stays so, the mirror is frozen or replays old lists: use another",
    ),
  );
  const unseen = seen.find((one) => one.unknown !== null);
  const nothing = found.kind === "looked" && found.findings.length === 0;
  return unseen !== undefined && nothing ? unknown(`${unseen.name}: ${unseen.unknown}`) : found;
}
