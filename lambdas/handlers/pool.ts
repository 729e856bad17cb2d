import { openFleetLock } from "../../contract/fleet-lock.ts";
import { KEYS } from "../../contract/names.ts";
import { PoolAnswer, PoolMessage, Promotion } from "../../contract/promotion.ts";
import { DebPool, type Taken } from "../aws/deb-pool.ts";
import { FleetLockStore } from "../aws/fleet-lock-store.ts";
import { RunStore } from "../aws/run-store.ts";
import { SigningKey } from "../aws/signing-key.ts";
import { defineHandler, logLine } from "./define-handler.ts";

/**
 * Takes the .debs of a run's fleet locks into the pool, from what the canaries offered: only what the signed documents name, only with the
 * bytes they name, never over what is there. One that nobody offered is missing from the pool and not from the lock: the repositories are
 * where it comes from, as long as they have it.
 */
export const handler = defineHandler(PoolMessage, PoolAnswer, async ({ runId }, { settings }) => {
  const { bucket, fleetLock } = settings;
  const promotion = await new RunStore(bucket).read(KEYS.promotion(runId), Promotion);
  const proven = promotion?.proven ?? [];
  const ends: Taken[] = [];
  if (proven.length === 0) return counts(ends);
  const locks = new FleetLockStore(bucket);
  const publicKey = await new SigningKey(fleetLock.keyArn).publicKey();
  const pool = new DebPool(bucket);
  for (const { key, offeredBy } of proven) {
    const [document, signature] = await Promise.all([locks.read(key), locks.read(`${key}.sig`)]);
    const opened = openFleetLock(document, signature.toString("latin1"), publicKey);
    if (typeof opened === "string") throw new Error(`s3://${bucket}/${key}: ${opened}`);
    for (const [{ name, version }, end] of await pool.fill(opened.lock.entries, offeredBy)) {
      ends.push(end);
      if (end === "missing")
        logLine({ runId, package: name, version, message: "no canary offers it as it was locked" });
    }
  }
  return counts(ends);
});

function counts(ends: readonly Taken[]) {
  const of = (wanted: Taken) => ends.filter((end) => end === wanted).length;
  return { taken: of("taken"), known: of("known"), missing: of("missing") };
}
