import type { Fingerprint } from "../../local/hosts/fingerprint.ts";
import { compareFingerprints } from "../../local/hosts/fingerprint-comparison.ts";

export type State = "old" | "new" | "neither";

/** Which end a host is at, exactly; when at neither, how it differs from the nearer one. Pure. */
export function judge(
  ends: Readonly<Record<"old" | "new", Fingerprint>>,
  now: Fingerprint,
): { state: State; differences: string[] } {
  const old = compareFingerprints(ends.old, now).differences;
  if (old.length === 0) return { state: "old", differences: [] };
  const fresh = compareFingerprints(ends.new, now).differences;
  if (fresh.length === 0) return { state: "new", differences: [] };
  const [nearer, differences] = old.length <= fresh.length ? ["old", old] : ["new", fresh];
  const some = differences.slice(0, 8).map((d) => `${d.path}: ${d.what}, ${d.before} in ${nearer}, now ${d.after}`);
  return { state: "neither", differences: [`${differences.length} differences from ${nearer}`, ...some] };
}
