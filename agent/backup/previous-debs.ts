import * as z from "zod";
import { type Lock, LockEntry } from "../../contract/lock.ts";
import type { StepDetails } from "../../contract/step-report.ts";

/** A package as it is installed, whose .deb is wanted. */
export interface InstalledVersion {
  readonly name: string;
  readonly architecture: string;
  readonly version: string;
}

const what = {
  name: LockEntry.shape.name,
  architecture: LockEntry.shape.architecture,
  version: LockEntry.shape.version,
};

/** Where a .deb was had from; one that was repacked from the installed files has other conffile records than its original. */
export const DEB_SOURCES = ["cache", "pool", "archive", "repacked"] as const;

export const KeptDeb = z.object({
  from: z.enum(DEB_SOURCES),
  ...what,
  file: LockEntry.shape.file,
  sha256: LockEntry.shape.sha256,
  size: LockEntry.shape.size,
  /** A signed index, or the package lists when this host first saw the version, had these very bytes. */
  verified: z.boolean(),
});
export type KeptDeb = z.infer<typeof KeptDeb>;

export const MissingDeb = z.object({ from: z.literal("missing"), ...what, why: z.string() });
export type MissingDeb = z.infer<typeof MissingDeb>;

/** index.json beside the .debs. */
export const PreviousIndex = z.object({
  format: z.literal(1),
  /** Of the lock that replaces them. */
  lockDigest: z.string().regex(/^[0-9a-f]{64}$/),
  debs: z.array(z.discriminatedUnion("from", [KeptDeb, MissingDeb])),
  /** What apt would do otherwise than exactly go back, asked before the change; empty when the way back is clean. */
  wayBack: z.array(z.string()),
});
export type PreviousIndex = z.infer<typeof PreviousIndex>;

/** Names in the folder of the .debs. */
export const PREVIOUS_FILES = { folder: "debs", index: "index.json", preferences: "preferences" } as const;

/** Pure: the packages whose installed version a lock replaces or removes. */
export function replacedBy(lock: Lock, installed: readonly InstalledVersion[]): InstalledVersion[] {
  const replaced = lock.entries.flatMap((entry) => {
    const old = installed.filter((p) => p.name === entry.name && p.version === entry.from);
    // A package may change from one architecture to `all` with its new version.
    const one = old.find((p) => p.architecture === entry.architecture) ?? old[0];
    return one === undefined ? [] : [{ name: one.name, architecture: one.architecture, version: one.version }];
  });
  const removed = lock.removals.map(({ name, architecture, version }) => ({ name, architecture, version }));
  return [...replaced, ...removed];
}

/** Pure: those of an index that are there. */
export function keptOf(index: PreviousIndex): KeptDeb[] {
  return index.debs.flatMap((deb) => (deb.from === "missing" ? [] : [deb]));
}

/** Pure: `name version: why`, of those that are not. */
export function missingOf(index: PreviousIndex): string[] {
  return index.debs.flatMap((deb) => (deb.from === "missing" ? [`${deb.name} ${deb.version}: ${deb.why}`] : []));
}

/** Pure: what the step's report says of them. */
export function previousDetails(index: PreviousIndex): NonNullable<StepDetails["previousDebs"]> {
  const kept = keptOf(index);
  const unverified = kept.filter((deb) => !deb.verified).map((deb) => `${deb.name} ${deb.version}: ${deb.from}`);
  return { kept: kept.length, missing: missingOf(index), unverified, wayBack: [...index.wayBack] };
}

/** Pure: a preferences file that lets apt choose exactly these versions, lower ones too, and leaves marks alone. */
export function preferencesText(debs: readonly InstalledVersion[]): string {
  return debs.map(pin).join("\n");
}

/** A preferences stanza that holds a package at a version. */
export function pin({ name, architecture, version }: InstalledVersion): string {
  const named = architecture === "all" ? name : `${name}:${architecture}`;
  return `Package: ${named}\nPin: version ${version}\nPin-Priority: 1001\n`;
}

/** Pure: kept .debs as entries of a lock that apt can be given. */
export function entriesOfDebs(debs: readonly KeptDeb[]): LockEntry[] {
  return debs.map(({ name, architecture, version, sha256, size, file }) => ({
    name,
    architecture,
    version,
    from: null,
    sha256,
    size,
    file,
  }));
}
