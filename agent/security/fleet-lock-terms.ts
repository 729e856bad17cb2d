import type { FleetLockHeader } from "../../contract/fleet-lock.ts";

/** What the host holds a fleet lock against. */
export interface FleetLockHost {
  /** The fleet this host belongs to; null when nobody said. */
  readonly fleet: string | null;
  readonly release: string;
  readonly architecture: string;
  readonly now: Date;
  /** The newest this host took of the lock's fleet. */
  readonly newest: TakenFleetLock | null;
}

export interface TakenFleetLock {
  readonly sequence: number;
  readonly lockDigest: string;
  readonly runId: string;
}

/** AWS refuses requests of a host whose clock is further off. */
const CLOCK_TOLERANCE_MS = 900_000;

/** Why a fleet lock, truly signed, is not for this host now, with the way out; null when it is. Pure. */
export function refusalOf(lock: FleetLockHeader, host: FleetLockHost): string | null {
  const { fleet, release, architecture, now, newest } = host;
  if (fleet !== null && lock.fleet !== fleet)
    return `it is for fleet ${lock.fleet}, this host is of ${fleet}: give it its own fleet's, or set AUTOPATCH_FLEET`;
  if (lock.release !== release || lock.architecture !== architecture)
    return `it is for ${lock.release} ${lock.architecture}, this host is ${release} ${architecture}: it needs one proven by canaries like itself`;
  if (new Date(lock.expiresAt) <= now)
    return `it expired at ${lock.expiresAt}, now it is ${now.toISOString()}: let a newer run prove it again`;
  if (Date.parse(lock.issuedAt) - now.getTime() > CLOCK_TOLERANCE_MS)
    return `it was issued at ${lock.issuedAt}, and here it is only ${now.toISOString()}: look at the clock, timedatectl`;
  if (newest === null || lock.sequence > newest.sequence) return null;
  if (lock.sequence < newest.sequence)
    return `it is number ${lock.sequence} of its fleet, and this host took number ${newest.sequence} of run ${newest.runId} already: give it the newest`;
  return lock.lockDigest === newest.lockDigest
    ? null
    : `it is number ${lock.sequence} of its fleet, as was the one of run ${newest.runId}, which had other packages: somebody signed two`;
}
