import type { VersionDetails } from "./apt-facts.ts";

/** `name architecture version sha256` to milliseconds since 1970. */
export type FirstSeen = Readonly<Record<string, number>>;

/** A version that has left the lists may come back with the next refresh: its record outlives it by far. */
const KEEP_MS = 730 * 86_400_000;

export type Bytes = Pick<VersionDetails, "name" | "architecture" | "version" | "sha256">;

/** When this host first saw these very bytes; undefined when it has not. */
export function firstSeenAt(seen: FirstSeen, one: Bytes): number | undefined {
  return seen[keyOf(one)];
}

/** Pure: times of the future, from a clock that was wrong, become now; what is neither offered nor recent is dropped. */
export function addSeen(before: FirstSeen, offered: readonly Bytes[], now: number): FirstSeen {
  const keys = new Set(offered.filter((one) => one.sha256 !== null).map(keyOf));
  const known = Object.entries(before)
    .filter(([key, at]) => keys.has(key) || now - at < KEEP_MS)
    .map(([key, at]): [string, number] => [key, Math.min(at, now)]);
  const added = [...keys].filter((key) => before[key] === undefined).map((key): [string, number] => [key, now]);
  return Object.fromEntries([...known, ...added]);
}

/** Other bytes under a version's name than any that may be taken for it; null when there were none. Pure. */
export function otherBytes(
  seen: FirstSeen,
  wanted: Pick<Bytes, "name" | "architecture" | "version">,
  taken: readonly string[],
): { readonly sha256: string; readonly at: Date } | null {
  const version = `${wanted.name} ${wanted.architecture} ${wanted.version} `;
  const other = Object.entries(seen).find(
    ([key]) => key.startsWith(version) && !taken.includes(key.slice(version.length)),
  );
  return other === undefined ? null : { sha256: other[0].slice(version.length), at: new Date(other[1]) };
}

function keyOf({ name, architecture, version, sha256 }: Bytes): string {
  return `${name} ${architecture} ${version} ${sha256}`;
}
