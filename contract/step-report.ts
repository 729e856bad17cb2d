import * as z from "zod";
import { StepResult } from "./envelope.ts";
import { LockEntry, LockRemoval } from "./lock.ts";

/** What became of one package in a plan. */
export const PlannedPackage = LockEntry.extend({
  /** Release pockets it comes from, as apt names them: `Debian-Security:12/stable-security`. */
  origin: z.string(),
  security: z.boolean(),
  /** Matches the policy's list of critical packages. */
  critical: z.boolean(),
});
export type PlannedPackage = z.infer<typeof PlannedPackage>;

/** A pending update that is not in the plan, and why. */
export const LeftOut = z.object({
  name: z.string(),
  installed: z.string(),
  candidate: z.string(),
  reason: z.enum([
    "held",
    "phased",
    "pinned",
    "denied",
    "notAllowed",
    "notSecurity",
    "tooYoung",
    "needsRemoval",
    "unresolved",
  ]),
  message: z.string(),
});
export type LeftOut = z.infer<typeof LeftOut>;

export const Plan = z.object({
  packages: z.array(PlannedPackage),
  removals: z.array(LockRemoval),
  leftOut: z.array(LeftOut),
  downloadBytes: z.int().nonnegative(),
  /** Bytes the host needs more once installed; negative when it shrinks. */
  installedBytes: z.int(),
});
export type Plan = z.infer<typeof Plan>;

/** One thing that differs between what a host was and what it is. */
export const Difference = z.object({
  path: z.string(),
  what: z.enum([
    "content",
    "type",
    "mode",
    "owner",
    "mtime",
    "link",
    "xattrs",
    "missing",
    "unexpected",
    "package",
    "mark",
    "hold",
  ]),
  before: z.string().nullable(),
  after: z.string().nullable(),
});
export type Difference = z.infer<typeof Difference>;

export const HealthCheckResult = z.object({
  name: z.string(),
  healthy: z.boolean(),
  /** The last lines it printed, or what was found. */
  evidence: z.string(),
  durationMs: z.int().nonnegative(),
});
export type HealthCheckResult = z.infer<typeof HealthCheckResult>;

/** Everything a step has to say; the object in S3 and the file under the agent's state folder. Absent fields do not apply to the step. */
export const StepReport = z.object({
  result: StepResult,
  plan: Plan.optional(),
  checks: z.array(HealthCheckResult).optional(),
  rollback: z
    .object({
      backupId: z.string(),
      identical: z.boolean(),
      differences: z.array(Difference),
      /** What somebody changed under /etc after the installation and was left so. */
      keptEdits: z.array(z.string()),
      notCovered: z.array(z.string()),
    })
    .optional(),
  /** Last lines of apt and dpkg. */
  log: z.string().optional(),
  /** Milliseconds by part of the step, in order. */
  timings: z.array(z.object({ part: z.string(), ms: z.int().nonnegative() })),
});
export type StepReport = z.infer<typeof StepReport>;
/** What a step adds to its result. */
export type StepDetails = Partial<Omit<StepReport, "result" | "timings">>;
