import * as z from "zod";
import { RunId } from "./envelope.ts";
import { FleetLockTerms } from "./fleet-lock.ts";
import { FleetLocks } from "./request.ts";

/** The last sequence number that a fleet gave, and to which run. */
export const NewestFleetLock = z.object({ sequence: z.int().positive(), runId: RunId });
export type NewestFleetLock = z.infer<typeof NewestFleetLock>;

/** What the canaries of a run proved, written once when they are committed. */
export const Promotion = z.object({
  runId: RunId,
  /** Null where nothing was proven. */
  terms: FleetLockTerms.nullable(),
  locks: FleetLocks,
  proven: z.array(
    z.object({
      kind: z.string(),
      /** Of the document. */
      key: z.string(),
      lockDigest: z.string(),
      packages: z.int().nonnegative(),
      removals: z.int().nonnegative(),
      canaries: z.int().positive(),
      /** What not every canary of the kind installed, in words. */
      leftOut: z.array(z.string()),
      /** `aws:userid` of canaries that may have offered its .debs. */
      offeredBy: z.array(z.string()),
    }),
  ),
  /** Kinds of canaries without a lock, and why. */
  unproven: z.array(z.object({ kind: z.string(), why: z.string() })),
});
export type Promotion = z.infer<typeof Promotion>;

export const PromoteMessage = z.object({ runId: RunId });
/** Small: what is proven stands in the Promotion. */
export const PromoteAnswer = z.object({
  sequence: z.int().positive().nullable(),
  proven: z.array(z.string()),
  unproven: z.array(z.string()),
});

export const PoolMessage = z.object({ runId: RunId });
export const PoolAnswer = z.object({
  /** .debs taken over, and those that were there already. */
  taken: z.int().nonnegative(),
  known: z.int().nonnegative(),
  /** Those that no canary has offered as they were locked. */
  missing: z.int().nonnegative(),
});
