import * as z from "zod";
import type { RunId } from "./envelope.ts";

type Id = z.infer<typeof RunId>;

/**
 * Keys in the bucket of people's decisions. The last part of each is the `aws:userid` of who wrote it: the bucket's policy refuses every
 * other, so that who decided is not said by themselves. When is what S3 says.
 */
export const DECISION_KEYS = {
  /** While an object lies under it, no phase of any run of the fleet begins. */
  freezes: (fleet: string) => `freeze/${fleet}/`,
  /** Once one lies under it, the run ends at its next border. */
  stops: (runId: Id) => `stop/${runId}/`,
  /** What people say of a plan, by its digest. */
  approvals: (runId: Id, digest: string) => `approvals/${runId}/${digest}/`,
} as const;

/** What a person writes. A freeze or a stop needs no more than its being there; an approval says `approve` or `reject`. */
export const DecisionText = z.object({
  decision: z.enum(["approve", "reject"]).optional(),
  reason: z.string().max(1_000).default(""),
});

/** A decision as it lies in the bucket. */
export const Decision = z.object({
  /** `aws:userid`: an IAM user's id, or role id and session name. */
  by: z.string(),
  /** When S3 took it. */
  at: z.iso.datetime(),
  decision: z.enum(["approve", "reject"]).nullable(),
  reason: z.string(),
});
export type Decision = z.infer<typeof Decision>;
