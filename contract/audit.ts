import * as z from "zod";

/** The worst first. */
export const SEVERITIES = ["critical", "high", "medium", "low", "info"] as const;
export const Severity = z.enum(SEVERITIES);
export type Severity = z.infer<typeof Severity>;

/** One thing that somebody should know or mend. */
export const Finding = z.object({
  /** The kind of finding; stays the same from release to release: `systemFilesAltered`. */
  id: z.string().regex(/^[a-z][A-Za-z0-9]+$/),
  /** Id of the check it comes from. */
  check: z.string(),
  severity: Severity,
  title: z.string(),
  /** What was seen, at most EVIDENCE_LIMIT lines. */
  evidence: z.array(z.string()),
  /** How many lines there would be. */
  evidenceTotal: z.int().nonnegative(),
  /** What to type or to do. */
  remedy: z.string(),
});
export type Finding = z.infer<typeof Finding>;

export const EVIDENCE_LIMIT = 20;

/** How a check ended: `unknown` is neither a pass nor a failure, and `notApplicable` has nothing to look at on this host. */
export const CHECK_STATUSES = ["passed", "findings", "notApplicable", "unknown"] as const;

export const CheckOutcome = z.object({
  id: z.string(),
  title: z.string(),
  status: z.enum(CHECK_STATUSES),
  /** Why it is unknown or not applicable; else null. */
  reason: z.string().nullable(),
  durationMs: z.int().nonnegative(),
});
export type CheckOutcome = z.infer<typeof CheckOutcome>;

const About = {
  format: z.literal(1),
  host: z.string(),
  release: z.string(),
  agentVersion: z.string(),
  startedAt: z.iso.datetime(),
  durationMs: z.int().nonnegative(),
};

/** `rollback.sh --audit-report --format=json`. */
export const AuditReport = z.object({
  ...About,
  bootId: z.string(),
  comprehensive: z.boolean(),
  counts: z.record(Severity, z.int().nonnegative()),
  /** Worst first; of one severity in the order of the checks. */
  findings: z.array(Finding),
  checks: z.array(CheckOutcome),
});
export type AuditReport = z.infer<typeof AuditReport>;

/** A file that is not what its package brought. */
export const AlteredFile = z.object({
  package: z.string(),
  path: z.string(),
  what: z.enum(["content", "missing", "type", "unreadable"]),
});
export type AlteredFile = z.infer<typeof AlteredFile>;

/** What lies otherwise under the system's folders than when the last install of AutoPatch ended. */
export const SinceInstall = z.object({
  backupId: z.string(),
  finishedAt: z.iso.datetime(),
  /** Packages were installed or removed by something else since. */
  packagesChanged: z.boolean(),
  changed: z.int().nonnegative(),
  appeared: z.int().nonnegative(),
  vanished: z.int().nonnegative(),
  /** The first of them, at most 200. */
  paths: z.array(z.object({ path: z.string(), what: z.enum(["changed", "appeared", "vanished"]) })),
});
export type SinceInstall = z.infer<typeof SinceInstall>;

/** `rollback.sh --verify-system --format=json`. */
export const VerifyReport = z.object({
  ...About,
  /** No file of a package but configuration files is altered or missing. */
  intact: z.boolean(),
  packages: z.int().nonnegative(),
  /** Files that were read. */
  files: z.int().nonnegative(),
  altered: z.array(AlteredFile),
  /** Configuration files an administrator changed or removed: not a fault. */
  conffiles: z.array(AlteredFile),
  /** Files that are not there because dpkg was told never to unpack them (path-exclude). */
  excluded: z.int().nonnegative(),
  /** Packages without checksums: nothing can be said of their files. */
  withoutSums: z.array(z.string()),
  /** Null when AutoPatch has no record of an install here. */
  sinceInstall: SinceInstall.nullable(),
});
export type VerifyReport = z.infer<typeof VerifyReport>;
