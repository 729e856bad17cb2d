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

function keyOf({ name, architecture, version, sha256 }: Bytes): string {
  return `${name} ${architecture} ${version} ${sha256}`;
}
