import type { LockEntry } from "../../contract/lock.ts";

/** What one host was to install. */
export interface HostEntries {
  readonly host: string;
  readonly entries: readonly Pick<LockEntry, "name" | "architecture" | "version" | "sha256">[];
}

/** One version of a package that has other bytes on some hosts than on others: a version never changes its bytes. */
export interface ByteSplit {
  readonly name: string;
  readonly version: string;
  /** Hosts by the SHA-256 they were given; the largest group first. */
  readonly views: readonly { readonly sha256: string; readonly hosts: readonly string[] }[];
}

/** Every such split among hosts of one kind; of several kinds, two archives may well build a version each. Pure. */
export function findByteSplits(hosts: readonly HostEntries[]): ByteSplit[] {
  const all = hosts.flatMap(({ host, entries }) => entries.map((entry) => ({ host, ...entry })));
  const same = Map.groupBy(all, ({ name, architecture, version }) => `${name} ${architecture} ${version}`);
  return [...same.values()].flatMap((those) => {
    const views = [...Map.groupBy(those, ({ sha256 }) => sha256)]
      .map(([sha256, some]) => ({ sha256, hosts: some.map(({ host }) => host) }))
      .sort((a, b) => b.hosts.length - a.hosts.length);
    const [first] = those;
    return views.length < 2 || first === undefined ? [] : [{ name: first.name, version: first.version, views }];
  });
}

/** A split in words: the hosts that were given something else than most. Pure. @param names of hosts, by id; one that is not there is its own name */
export function byteSplitText({ name, version, views }: ByteSplit, names: ReadonlyMap<string, string>): string {
  const [most, ...others] = views;
  const say = ({ hosts, sha256 }: ByteSplit["views"][number]) =>
    `${sha256.slice(0, 16)}… on ${hosts
      .slice(0, NAMED)
      .map((id) => names.get(id) ?? id)
      .join(", ")}${hosts.length > NAMED ? ` and ${hosts.length - NAMED} more` : ""}`;
  const sides = [...others, ...(most === undefined ? [] : [most])].map(say).join(", ");
  return `split view: ${name} ${version} has SHA-256 ${sides}`;
}

/** Hosts a sentence names before it says how many more there are. */
const NAMED = 5;
