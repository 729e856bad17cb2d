import { createHash } from "node:crypto";
import { rmSync } from "node:fs";
import { Failure } from "../../contract/failures.ts";
import type { FleetLock } from "../../contract/fleet-lock.ts";
import type { Lock } from "../../contract/lock.ts";
import { HOST_PATHS } from "../../contract/names.ts";
import type { SignedDocument } from "../host/fetch-fleet-lock.ts";
import { onMachine, readOwn, writeOwn } from "../host/files.ts";
import type { Machine } from "../host/machine.ts";
import { readFleetLock } from "../security/fleet-lock.ts";
import { beyondFleetLock } from "./fleet-plan.ts";
import { readLockRecord } from "./lock-file.ts";
import type { StepContext } from "./step.ts";

const SIGNATURE = `${HOST_PATHS.fleetLock}.sig`;

/**
 * Keeps the fleet lock that a host's lock was made from beside it, or takes an earlier one away.
 * @returns SHA-256 of the document; null without one
 */
export function keepFleetLock(machine: Machine, signed: SignedDocument | null): string | null {
  if (signed === null) {
    for (const path of [HOST_PATHS.fleetLock, SIGNATURE]) rmSync(onMachine(machine, path), { force: true });
    return null;
  }
  writeOwn(machine, HOST_PATHS.fleetLock, signed.document);
  writeOwn(machine, SIGNATURE, `${signed.signature.trim()}\n`);
  return sha256(signed.document);
}

/**
 * Holds a host's lock against the fleet lock it was made from: signature, terms and content, each time anew.
 * @returns null for a lock of the host's own
 * @throws Failure `fleetLockRefused` also where this host installs by fleet locks alone and there is none; `lockInvalid`, `outsideLock`
 */
export async function requireFleetLock(context: StepContext, lock: Lock): Promise<FleetLock | null> {
  const { machine, fleet, dryRun } = context;
  const kept = readLockRecord(machine)?.fleetLock ?? null;
  if (kept === null) {
    if (!fleet.required || dryRun) return null;
    throw new Failure(
      "fleetLockRefused",
      `${HOST_PATHS.lock} is this host's own plan, and AUTOPATCH_REQUIRE_FLEET_LOCK allows only what canaries proved: download.sh --lock FILE`,
    );
  }
  const document = Buffer.from(readOwn(machine, HOST_PATHS.fleetLock) ?? "", "utf8");
  if (sha256(document) !== kept)
    throw new Failure(
      "lockInvalid",
      `${HOST_PATHS.fleetLock} is not the fleet lock that was planned by: download again`,
    );
  const signed = { document, signature: readOwn(machine, SIGNATURE) ?? "", from: HOST_PATHS.fleetLock };
  const opened = await readFleetLock(machine, fleet, signed);
  const beyond = beyondFleetLock(lock, opened.lock);
  if (beyond.length === 0) return opened;
  throw new Failure(
    "outsideLock",
    `${HOST_PATHS.lock} ${beyond.slice(0, 10).join("; ")}, which the fleet lock does not`,
  );
}

function sha256(bytes: Buffer): string {
  return createHash("sha256").update(bytes).digest("hex");
}
