import * as z from "zod";
import { Failure } from "../../contract/failures.ts";
import { type FleetLock, openFleetLock } from "../../contract/fleet-lock.ts";
import { HOST_PATHS } from "../../contract/names.ts";
import { nativeArchitecture } from "../host/dpkg.ts";
import type { SignedDocument } from "../host/fetch-fleet-lock.ts";
import { ownFolder, readOwn, requireOwnPath, writeOwn } from "../host/files.ts";
import { osRelease } from "../host/identity.ts";
import type { Machine } from "../host/machine.ts";
import { refusalOf } from "./fleet-lock-terms.ts";

const TAKEN = `${HOST_PATHS.state}/fleet-locks.json`;
const Taken = z.record(
  z.string(),
  z.object({ sequence: z.int(), lockDigest: z.string(), runId: z.string(), takenAt: z.iso.datetime() }),
);

/** What the host's administrator says of fleet locks. */
export interface FleetTrust {
  /** The fleet this host belongs to; null when nobody said. */
  readonly name: string | null;
  /** PEM of the key that signs the fleet's locks. */
  readonly keyFile: string;
  /** Nothing is installed but by a fleet lock. */
  readonly required: boolean;
}

/**
 * A fleet lock that this host may install now.
 * @throws Failure `fleetLockRefused` naming what is wrong with it; `pathUnsafe` for a key that somebody else could have written
 */
export async function readFleetLock(machine: Machine, trust: FleetTrust, signed: SignedDocument): Promise<FleetLock> {
  const refuse = (why: string) => new Failure("fleetLockRefused", `${signed.from}: ${why}`);
  requireOwnPath(machine, trust.keyFile);
  const key = readOwn(machine, trust.keyFile);
  if (key === null)
    throw refuse(
      `there is no key to check it with: put the fleet's public key into ${trust.keyFile} (AUTOPATCH_FLEET_LOCK_KEY)`,
    );
  const opened = openFleetLock(signed.document, signed.signature, key);
  if (typeof opened === "string") throw refuse(`${opened} (key ${trust.keyFile})`);
  const why = refusalOf(opened.header, {
    fleet: trust.name,
    release: osRelease(machine).release,
    architecture: await nativeArchitecture(machine),
    now: machine.clock.now(),
    newest: readTaken(machine)[opened.header.fleet] ?? null,
  });
  if (why !== null) throw refuse(why);
  return opened;
}

/** From now on an earlier lock of the same fleet is refused. */
export function takeFleetLock(machine: Machine, { header }: FleetLock): void {
  ownFolder(machine, HOST_PATHS.state, 0o700);
  const { fleet, sequence, lockDigest, runId } = header;
  const takenAt = machine.clock.now().toISOString();
  const taken = { ...readTaken(machine), [fleet]: { sequence, lockDigest, runId, takenAt } };
  writeOwn(machine, TAKEN, `${JSON.stringify(taken, null, 2)}\n`, 0o600);
}

function readTaken(machine: Pick<Machine, "root">): z.infer<typeof Taken> {
  const text = readOwn(machine, TAKEN);
  if (text === null) return {};
  try {
    return Taken.parse(JSON.parse(text));
  } catch (cause) {
    const what = "nobody can tell which fleet lock was the newest. Mend it, or remove it to begin anew";
    throw new Failure("fleetLockRefused", `${TAKEN} cannot be read: ${what}`, { cause });
  }
}
