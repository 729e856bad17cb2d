import { CONTRACT_VERSION } from "../../contract/envelope.ts";
import type { FleetSettings } from "../../contract/environment.ts";
import { type RunRequest, Snapshot, WavePolicy } from "../../contract/run.ts";
import type { Targets } from "./targets.ts";
import { planWaves } from "./waves.ts";

/**
 * The run as planned: what the request says, over what the stack is configured with. Pure.
 * @throws ZodError when the two together are not a valid policy
 */
export function takeSnapshot(
  runId: string,
  request: RunRequest,
  settings: FleetSettings,
  targets: Targets,
  now: Date,
): Snapshot {
  const wavePolicy = WavePolicy.parse({ ...settings.waves, ...request.waves });
  return Snapshot.parse({
    contractVersion: CONTRACT_VERSION,
    runId,
    fleet: settings.fleet,
    plannedAt: now.toISOString(),
    dryRun: request.dryRun ?? false,
    policy: {
      ...settings.policy,
      ...request.policy,
      ...(request.operation === undefined ? {} : { operation: request.operation }),
    },
    wavePolicy,
    waves: planWaves(targets.hosts, wavePolicy),
    hosts: targets.hosts,
    leftOut: targets.leftOut,
  });
}
