import * as z from "zod";
import { RunId } from "../../contract/envelope.ts";
import { type Lock, lockDigest } from "../../contract/lock.ts";
import { HOST_PATHS } from "../../contract/names.ts";
import { PatchPolicy } from "../../contract/request.ts";
import { statusDigest } from "../backup/package-state.ts";
import { ownFolder, readOwn, writeOwn } from "../host/files.ts";
import type { Machine } from "../host/machine.ts";
import { AGENT_VERSION } from "../version.ts";

const RECORD = `${HOST_PATHS.state}/rehearsal.json`;

const RehearsalRecord = z.strictObject({
  format: z.literal(1),
  runId: RunId,
  rehearsedAt: z.iso.datetime(),
  /** What the rehearsal was of: another lock, other packages, another agent or another policy would change other paths. */
  lockDigest: z.string(),
  statusDigest: z.string(),
  agentVersion: z.string(),
  conffiles: PatchPolicy.shape.conffiles,
  /** Every path that the change created, changed or removed. */
  paths: z.array(z.string()),
});

/** What a rehearsal is bound to. */
type Bound = Pick<z.infer<typeof RehearsalRecord>, "lockDigest" | "statusDigest" | "agentVersion" | "conffiles">;

/** Keeps the result of a rehearsal that the change has stood, for the backup of the same change. */
export function keepRehearsal(machine: Machine, runId: string, bound: Bound, paths: readonly string[]): void {
  const record = { format: 1, runId, rehearsedAt: machine.clock.now().toISOString(), ...bound, paths };
  ownFolder(machine, HOST_PATHS.state, 0o700);
  writeOwn(machine, RECORD, `${JSON.stringify(record)}\n`, 0o600);
}

/** What a rehearsal made now would be bound to. */
export function boundTo(machine: Pick<Machine, "root">, lock: Lock, policy: Pick<PatchPolicy, "conffiles">): Bound {
  return {
    lockDigest: lockDigest(lock),
    statusDigest: statusDigest(machine),
    agentVersion: AGENT_VERSION,
    conffiles: policy.conffiles,
  };
}

/**
 * The paths of the last rehearsal when it was of this very change on this very host; else why they cannot be used.
 * @throws Failure `pathUnsafe`
 */
export function rehearsedPaths(
  machine: Pick<Machine, "root">,
  bound: Bound,
): { readonly paths: readonly string[] } | { readonly why: string } {
  const text = readOwn(machine, RECORD);
  if (text === null) return { why: "the change was not rehearsed" };
  const record = RehearsalRecord.safeParse(parsed(text)).data;
  if (record === undefined) return { why: `${RECORD} cannot be read` };
  if (record.lockDigest !== bound.lockDigest) return { why: "the last rehearsal was of another lock" };
  if (record.statusDigest !== bound.statusDigest) return { why: "packages were changed since the rehearsal" };
  if (record.agentVersion !== bound.agentVersion)
    return { why: `the rehearsal was made by agent ${record.agentVersion}, this is ${bound.agentVersion}` };
  if (record.conffiles !== bound.conffiles) return { why: "the rehearsal was made under another policy for conffiles" };
  return { paths: record.paths };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
