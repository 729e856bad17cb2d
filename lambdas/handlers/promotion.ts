import { encodeFleetLock, FleetLockTerms, fleetLockDigest } from "../../contract/fleet-lock.ts";
import { lockDigest } from "../../contract/lock.ts";
import { hostKind, KEYS } from "../../contract/names.ts";
import type { Promotion } from "../../contract/promotion.ts";
import type { Snapshot } from "../../contract/run.ts";
import { FleetLockStore } from "../aws/fleet-lock-store.ts";
import type { RunStore } from "../aws/run-store.ts";
import { SigningKey } from "../aws/signing-key.ts";
import type { CommittedCanary } from "../fleet/canary-locks.ts";
import type { Proof, ProvenLock } from "../fleet/proven-locks.ts";
import type { Surroundings } from "./define-handler.ts";

const DAY_MS = 86_400_000;
/** Canaries of a kind that the pool looks to for .debs. */
const OFFERERS = 10;

/** Signs and writes a run's fleet locks, each once; a call that was cut short is taken up where it ended. */
export async function signLocks(
  store: RunStore,
  { runId, fleet }: Pick<Snapshot, "runId" | "fleet">,
  { proof, canaries }: { readonly proof: Proof; readonly canaries: readonly CommittedCanary[] },
  { settings, now }: Surroundings,
): Promise<Promotion> {
  const { bucket, fleetLock } = settings;
  const { proven } = proof;
  const locks = new FleetLockStore(bucket);
  const key = new SigningKey(fleetLock.keyArn);
  const terms = proven.length === 0 ? null : await termsOf(store, locks, { runId, fleet }, fleetLock.validDays, now);
  if (terms !== null) for (const one of proven) await signOne(locks, key, terms, one);
  return {
    runId,
    terms,
    locks: { prefix: KEYS.fleetLocks(fleet, runId), kinds: proven.map(({ kind }) => kind) },
    proven: proven.map(({ kind, lock, canaries: count, leftOut }) => ({
      kind,
      key: KEYS.fleetLock(fleet, runId, kind),
      lockDigest: lockDigest(lock),
      packages: lock.entries.length,
      removals: lock.removals.length,
      canaries: count,
      leftOut: [...leftOut],
      offeredBy: canaries.flatMap((one) => (hostKind(one) === kind ? (one.userId ?? []) : [])).slice(0, OFFERERS),
    })),
    unproven: [...proof.unproven],
  };
}

/**
 * Number and times of a run's locks, fixed at the first call: the documents of a repeated one are the same to the byte. They lie where
 * nothing but the one function that signs may write.
 */
async function termsOf(
  store: RunStore,
  locks: FleetLockStore,
  { runId, fleet }: Pick<Snapshot, "runId" | "fleet">,
  validDays: number,
  now: Date,
): Promise<FleetLockTerms> {
  const key = KEYS.fleetLockTerms(fleet, runId);
  const before = await store.read(key, FleetLockTerms);
  if (before !== undefined) return before;
  const sequence = await locks.nextSequence(fleet, runId);
  const expiresAt = new Date(now.getTime() + validDays * DAY_MS).toISOString();
  const terms = { fleet, runId, sequence, issuedAt: now.toISOString(), expiresAt };
  if (await store.writeNew(key, terms)) return terms;
  return (await store.read(key, FleetLockTerms)) ?? terms;
}

/** Nothing but what this function made itself is ever signed, whatever lies in the bucket. */
async function signOne(locks: FleetLockStore, key: SigningKey, terms: FleetLockTerms, one: ProvenLock): Promise<void> {
  const document = encodeFleetLock(terms, one.lock);
  const at = KEYS.fleetLock(terms.fleet, terms.runId, one.kind);
  const there = await locks.writeOnce(at, document);
  if (!there.equals(document))
    throw new Error(`${at} is there already with other content: somebody else wrote it; look at who may write there`);
  const signature = await key.sign(fleetLockDigest(document));
  await locks.writeOnce(`${at}.sig`, Buffer.from(`${signature.toString("base64")}\n`, "latin1"));
}
