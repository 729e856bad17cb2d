import { CONTRACT_VERSION } from "../../contract/envelope.ts";
import type { FleetSettings } from "../../contract/environment.ts";
import { type RunRequest, Snapshot, WavePolicy } from "../../contract/run.ts";
import type { ChosenHosts } from "./targets.ts";
import { planWaves, spreadOverZones } from "./waves.ts";

/**
 * The run as planned: what the request says, over the run that it resumes, over what the stack is configured with. Pure.
 * @throws ZodError when the two together are not a valid policy
 */
export function takeSnapshot(
  runId: string,
  request: RunRequest,
  settings: FleetSettings,
  { hosts, leftOut }: ChosenHosts,
  now: Date,
  resumed?: { readonly old: Snapshot; readonly proven: boolean },
): Snapshot {
  const base = resumed?.old;
  const wavePolicy = WavePolicy.parse({ ...settings.waves, ...base?.wavePolicy, ...request.waves });
  const proven = resumed?.proven ?? false;
  // Whoever names hosts gives their order too.
  const ordered = request.instanceIds === undefined ? spreadOverZones(hosts) : hosts;
  const windowMinutes = request.windowMinutes ?? settings.gates.windowMinutes;
  return Snapshot.parse({
    contractVersion: CONTRACT_VERSION,
    runId,
    fleet: settings.fleet,
    plannedAt: now.toISOString(),
    dryRun: request.dryRun ?? base?.dryRun ?? false,
    policy: {
      ...settings.policy,
      ...base?.policy,
      ...request.policy,
      ...(request.operation === undefined ? {} : { operation: request.operation }),
    },
    wavePolicy,
    waves: planWaves(ordered, wavePolicy, proven),
    hosts,
    leftOut,
    ...(base === undefined ? {} : { resumes: base.runId, proven }),
    ...(windowMinutes === null ? {} : { windowEndsAt: new Date(now.getTime() + windowMinutes * 60_000).toISOString() }),
  });
}
