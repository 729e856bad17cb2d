import * as z from "zod";
import { CveId } from "./cve.ts";
import { Decision } from "./decisions.ts";
import { RunId } from "./envelope.ts";

/** One change of a wave's plan, with the hosts it is planned on. */
export const PlannedChange = z.object({
  name: z.string(),
  architecture: z.string(),
  /** Versions replaced, over hosts; null where it is new. */
  from: z.array(z.string().nullable()),
  /** Null when it is removed. */
  to: z.string().nullable(),
  sha256: z.string().nullable(),
  critical: z.boolean(),
  security: z.boolean(),
  cves: z.array(CveId).nullable(),
  hosts: z.int().positive(),
});
export type PlannedChange = z.infer<typeof PlannedChange>;

/** What people are asked to approve: all that a wave is about to change, and what is known of it. */
export const ApprovalRequest = z.object({
  runId: RunId,
  fleet: z.string(),
  environment: z.string(),
  wave: z.int().min(0),
  waveName: z.string(),
  /** Hosts that would be changed. */
  hosts: z.array(z.string()),
  /** SHA-256 over the changes; an approval is of this and nothing else. */
  digest: z.string().regex(/^[0-9a-f]{64}$/),
  changes: z.array(PlannedChange),
  /** Keys of changes that no earlier approval of this run covers; all of them at the first. */
  beyondApproved: z.int().nonnegative(),
  /** What the rehearsals came to, over hosts. */
  rehearsal: z.object({ rehearsed: z.int(), notPossible: z.int(), tests: z.int() }),
  reboot: z.enum(["never", "whenRequired", "asConfiguredOnHosts"]),
  /** Why it is asked. */
  why: z.string(),
  people: z.int().min(1),
  askedAt: z.iso.datetime(),
  expiresAt: z.iso.datetime(),
});
export type ApprovalRequest = z.infer<typeof ApprovalRequest>;

export const APPROVAL_VERDICTS = ["approved", "rejected", "expired", "stopped"] as const;
/** How a request ended, and by whom. */
export const ApprovalEnd = z.object({
  verdict: z.enum(APPROVAL_VERDICTS),
  digest: z.string(),
  wave: z.int().min(0),
  at: z.iso.datetime(),
  reason: z.string(),
  decisions: z.array(Decision),
});
export type ApprovalEnd = z.infer<typeof ApprovalEnd>;
