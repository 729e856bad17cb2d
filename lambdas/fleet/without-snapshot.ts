import type { RootSnapshot } from "../../contract/run.ts";

/** Only instances of EC2 have a root volume that EC2 knows of. */
const INSTANCE = /^i-/;

/** Hosts that a change must not reach: a snapshot of their root volume is wanted and there is none. Pure. @param snapshots null where none are wanted */
export function withoutSnapshot(instanceIds: readonly string[], snapshots: readonly RootSnapshot[] | null): string[] {
  if (snapshots === null) return [];
  const taken = new Set(snapshots.map(({ instanceId }) => instanceId));
  return instanceIds.filter((id) => INSTANCE.test(id) && !taken.has(id));
}
