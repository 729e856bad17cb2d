import { dataOf } from "../../contract/envelope.ts";
import type { ReleaseMark } from "../../contract/release-seen.ts";
import type { HostResults } from "./host-outcome.ts";

/** One repository that shows some hosts another Release of the same date than others: somebody stands in between. */
export interface SplitView {
  readonly repository: string;
  readonly date: Date;
  /** Hosts by what they were shown; the largest group first. */
  readonly views: readonly { readonly sha: string; readonly hosts: readonly string[] }[];
}

/** Every split view among hosts. Pure. */
export function findSplitViews(perHost: ReadonlyMap<string, readonly ReleaseMark[]>): SplitView[] {
  const seen = [...perHost].flatMap(([host, marks]) => marks.map((mark) => ({ host, ...mark })));
  return [...Map.groupBy(seen, ({ repository, date }) => `${date} ${repository}`).values()].flatMap((same) => {
    const views = [...Map.groupBy(same, ({ sha }) => sha)]
      .map(([sha, those]) => ({ sha, hosts: those.map(({ host }) => host) }))
      .sort((a, b) => b.hosts.length - a.hosts.length);
    const [first] = same;
    if (views.length < 2 || first === undefined) return [];
    return [{ repository: first.repository, date: new Date(first.date * 1_000), views }];
  });
}

/** What each host's verify step says it was shown. */
export function marksByHost(results: ReadonlyMap<string, HostResults>): Map<string, readonly ReleaseMark[]> {
  return new Map([...results].map(([id, { verify }]) => [id, (verify && dataOf(verify, "verify")?.seen) ?? []]));
}

/** Hosts a sentence names before it says how many more there are. */
const NAMED = 5;

/** A split view in words: the hosts that were shown something else than most. Pure. */
export function splitViewText({ repository, date, views }: SplitView, names: ReadonlyMap<string, string>): string {
  const [most, ...others] = views;
  const odd = others.flatMap(({ hosts }) => hosts);
  const named = odd.slice(0, NAMED).map((id) => names.get(id) ?? id);
  const more = odd.length > named.length ? ` and ${odd.length - named.length} more` : "";
  return `${repository} of ${date.toISOString()} is not the same on ${named.join(", ")}${more} as on ${most?.hosts.length} others`;
}
