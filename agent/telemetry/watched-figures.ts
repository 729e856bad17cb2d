import { dirname } from "node:path";
import { HOST_PATHS } from "../../contract/names.ts";
import type { HostFigures } from "../../contract/steps.ts";
import { bytesBelow } from "../host/disk.ts";
import type { Machine } from "../host/machine.ts";
import { isActive } from "../host/services.ts";
import { hostFigures } from "./figures.ts";
import { lastUpdate } from "./history.ts";
import { withChildren } from "./kept.ts";

export const DAEMON_UNIT = "autopatch-daemon.service";

/** What a host tells the cloud of itself: the figures of the seed's metrics, and what its alerts ask beside them. */
export async function watchedFigures(machine: Machine): Promise<HostFigures> {
  return {
    ...hostFigures(machine),
    daemonActive: await isActive(machine, DAEMON_UNIT),
    lastUpdateAt: lastUpdate(machine)?.toISOString() ?? null,
    diskBytes: ownBytes(machine),
  };
}

/** What the seed's `du` counts: /var/tmp/autopatch*. */
export function ownBytes(machine: Machine): number {
  const own = withChildren(machine, dirname(HOST_PATHS.work)).filter((path) => path.startsWith(HOST_PATHS.work));
  return own.reduce((sum, folder) => sum + bytesBelow(machine, folder), 0);
}
