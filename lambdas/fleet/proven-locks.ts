import type { Lock, LockEntry, LockRemoval } from "../../contract/lock.ts";
import { hostKind } from "../../contract/names.ts";
import { type ByteSplit, byteSplitText, findByteSplits } from "./byte-splits.ts";

/** What one committed canary installed; or why nobody can tell, in words. */
export interface CanaryLock {
  readonly name: string;
  readonly release: string;
  readonly architecture: string;
  readonly lock: Lock | string;
}

/** The lock of one kind of hosts, as all its canaries proved it. */
export interface ProvenLock {
  readonly kind: string;
  readonly lock: Lock;
  readonly canaries: number;
  /** What not every canary installed, in words. */
  readonly leftOut: readonly string[];
}

export interface Proof {
  readonly proven: readonly ProvenLock[];
  readonly unproven: readonly { readonly kind: string; readonly why: string }[];
}

/**
 * What the canaries proved, kind by kind. Pure. Only what every committed canary of a kind installed, in the same version and the same
 * bytes, counts: one that went another way has proven nothing about it. A canary whose lock nobody can tell leaves its kind without one.
 */
export function proveLocks(canaries: readonly CanaryLock[]): Proof {
  const proven: ProvenLock[] = [];
  const unproven: { kind: string; why: string }[] = [];
  for (const [kind, those] of Map.groupBy(canaries, hostKind)) {
    const found = proveKind(kind, those);
    if (typeof found === "string") unproven.push({ kind, why: found });
    else proven.push(found);
  }
  return { proven: proven.sort(byKind), unproven: unproven.sort(byKind) };
}

function proveKind(kind: string, canaries: readonly CanaryLock[]): ProvenLock | string {
  const untold = canaries.find(({ lock }) => typeof lock === "string");
  if (untold !== undefined) return `canary ${untold.name}: ${untold.lock}`;
  const locks = canaries.map(({ name, lock }) => ({ name, ...(lock as Lock) }));
  const [first] = locks;
  const [split] = findByteSplits(locks.map(({ name, entries }) => ({ host: name, entries })));
  if (split !== undefined) return splitText(split);
  if (first === undefined) return "it has no canary";
  const all = locks.flatMap(({ entries }) => entries);
  const count = (entry: LockEntry) => all.filter((one) => keyOf(one) === keyOf(entry)).length;
  const ofAll = <T>(of: (lock: Lock) => readonly T[], key: (one: T) => string) =>
    of(first).filter((one) => locks.every((lock) => of(lock).some((other) => key(other) === key(one))));
  const lock: Lock = {
    release: first.release,
    architecture: first.architecture,
    // What was there before differs from host to host, and is none of the others' business.
    entries: ofAll(({ entries }) => entries, keyOf)
      .map((entry) => ({ ...entry, from: null }))
      .sort(byName),
    removals: ofAll(({ removals }) => removals, removalKey)
      .map((one) => ({ ...one }))
      .sort(byName),
  };
  if (lock.entries.length + lock.removals.length === 0)
    return `its ${canaries.length} canaries have no change in common`;
  const kept = new Set(lock.entries.map(keyOf));
  const leftOut = new Map(all.filter((entry) => !kept.has(keyOf(entry))).map((entry) => [keyOf(entry), entry]));
  return {
    kind,
    lock,
    canaries: canaries.length,
    leftOut: [...leftOut.values()]
      .sort(byName)
      .map(
        (entry) => `${entry.name} ${entry.version}: installed by ${count(entry)} of ${canaries.length} canaries alone`,
      ),
  };
}

function splitText(split: ByteSplit): string {
  return `security violation, ${byteSplitText(split, new Map())}`;
}

function keyOf({ name, architecture, version, sha256, size }: LockEntry): string {
  return `${name} ${architecture} ${version} ${sha256} ${size}`;
}

function removalKey({ name, architecture }: LockRemoval): string {
  return `${name} ${architecture}`;
}

type Named = { readonly name: string; readonly architecture: string };
function byName(a: Named, b: Named): number {
  return `${a.name} ${a.architecture}` < `${b.name} ${b.architecture}` ? -1 : 1;
}

function byKind(a: { readonly kind: string }, b: { readonly kind: string }): number {
  return a.kind < b.kind ? -1 : 1;
}
