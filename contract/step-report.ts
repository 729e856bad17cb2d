import * as z from "zod";
import { CveId } from "./cve.ts";
import { StepResult } from "./envelope.ts";
import { LockEntry, LockRemoval } from "./lock.ts";
import { ReleaseSeen } from "./release-seen.ts";

/** What became of one package in a plan. */
export const PlannedPackage = LockEntry.extend({
  /** Release pockets it comes from, as apt names them: `Debian-Security:12/stable-security`. */
  origin: z.string(),
  security: z.boolean(),
  /** Matches the policy's list of critical packages. */
  critical: z.boolean(),
  /** CVE ids that its changelog names since the installed version, in order; null when nobody could read it. */
  cves: z.array(CveId).nullable(),
  /** The changelog is cut before the installed version: there may be more CVEs. */
  cvesIncomplete: z.boolean(),
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
    // Under a fleet lock.
    "alreadyInstalled",
    "newerInstalled",
    "notInstalled",
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
  /** It failed before the change too, so that the change is not blamed for it. */
  failedBefore: z.boolean().optional(),
  /** The last lines it printed, or what was found. */
  evidence: z.string(),
  durationMs: z.int().nonnegative(),
});
export type HealthCheckResult = z.infer<typeof HealthCheckResult>;

/** What going back came to. */
export const RollbackReport = z.object({
  backupId: z.string(),
  identical: z.boolean(),
  differences: z.array(Difference),
  /** What somebody changed under /etc after the installation and was left so. */
  keptEdits: z.array(z.string()),
  notCovered: z.array(z.string()),
  /** CVE ids that the undone change had fixed; null when nobody knows. */
  reopenedCves: z.array(CveId).nullable(),
});
export type RollbackReport = z.infer<typeof RollbackReport>;

/** A test of a service's configuration after the rehearsed change. failedBefore: it fails on the host as it is, so the change is not to blame. */
export const RehearsalTest = z.object({
  name: z.string(),
  outcome: z.enum(["passed", "failed", "failedBefore"]),
  /** The last lines it printed. */
  evidence: z.string(),
  durationMs: z.int().nonnegative(),
});
export type RehearsalTest = z.infer<typeof RehearsalTest>;

/** Everything a step has to say; the object in S3 and the file under the agent's state folder. Absent fields do not apply to the step. */
export const StepReport = z.object({
  result: StepResult,
  plan: Plan.optional(),
  /** What each repository showed this host. */
  releases: z.array(ReleaseSeen).optional(),
  checks: z.array(HealthCheckResult).optional(),
  rollback: RollbackReport.optional(),
  /** The second way back: what is kept of the installed versions' .debs. */
  previousDebs: z
    .object({
      kept: z.int().nonnegative(),
      /** `name version: why`, of those that could not be had. */
      missing: z.array(z.string()),
      /** `name version: source`, of those whose bytes no signed index vouches for. */
      unverified: z.array(z.string()),
      /** What apt would do otherwise than exactly go back, in words; empty when the way back is clean. */
      wayBack: z.array(z.string()),
    })
    .optional(),
  rehearsal: z
    .object({
      changedPaths: z.int().nonnegative(),
      tests: z.array(RehearsalTest),
      /** What the way back left different, in words; empty when it is identical. */
      differences: z.array(z.string()),
    })
    .optional(),
  /** How it was found out what to keep: from the rehearsal, or from lists and scripts alone, and then why. */
  backup: z.object({ set: z.enum(["rehearsed", "computed"]), reason: z.string().nullable() }).optional(),
  /** Last lines of apt and dpkg. */
  log: z.string().optional(),
  /** Milliseconds by part of the step, in order. */
  timings: z.array(z.object({ part: z.string(), ms: z.int().nonnegative() })),
});
export type StepReport = z.infer<typeof StepReport>;
/** What a step adds to its result. */
export type StepDetails = Partial<Omit<StepReport, "result" | "timings">>;
