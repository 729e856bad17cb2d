import * as z from "zod";
import { MOST_MARKS, ReleaseMark } from "./release-seen.ts";

/** One agent call each, in the order a host lives through them; check asks again after the bake, rollback ends what failed, upload takes backups off the host. */
export const STEPS = [
  "preflight",
  "download",
  "verify",
  "rehearse",
  "backup",
  "install",
  "reboot",
  "validate",
  "commit",
  "check",
  "rollback",
  "upload",
] as const;

export const StepName = z.enum(STEPS);
export type StepName = z.infer<typeof StepName>;

/**
 * What is sent to hosts: each command takes a host through its steps, as far as they pass. commit is a command of its own: a host
 * that cannot be reached after its change must not be able to keep it.
 */
export const COMMANDS = {
  prepare: ["preflight", "download", "verify", "rehearse"],
  apply: ["backup", "install", "reboot", "validate"],
  commit: ["commit"],
  check: ["check"],
  rollback: ["rollback"],
  upload: ["upload"],
} as const satisfies Record<string, readonly StepName[]>;
export const CommandName = z.enum(Object.keys(COMMANDS) as [keyof typeof COMMANDS, ...(keyof typeof COMMANDS)[]]);
export type CommandName = z.infer<typeof CommandName>;

/**
 * The steps that read, fetch and try in a clone, those that change the host, and what is asked after the bake. A wave prepares as a whole
 * before any of it is applied.
 */
export const PHASES = {
  prepare: COMMANDS.prepare,
  apply: [...COMMANDS.apply, ...COMMANDS.commit],
  check: COMMANDS.check,
} as const satisfies Record<string, readonly StepName[]>;
export type Phase = keyof typeof PHASES;
/** What a batch is asked to go through: a phase, or all of it back because its wave was stopped. */
export type BatchPhase = Phase | "rollback";

/**
 * Rollbacks of a batch by the phase that asks for them, as attempts: a host answers each attempt once, and the same batch may be asked in
 * more than one phase.
 */
export const ROLLBACK_ATTEMPTS = { apply: 1, check: 2, rollback: 3 } as const satisfies Partial<
  Record<BatchPhase, number>
>;
/** Those that a host is asked once its trial is over for certain, and after its root volume was replaced. */
export const ROLLBACK_AFTER_TRIAL = 4;
export const ROLLBACK_AFTER_REPLACEMENT = 5;

/** Seconds a step may run on the host before the SSM agent kills it; deadlines inside the agent are shorter. */
export const STEP_TIMEOUT_SECONDS: Record<StepName, number> = {
  preflight: 900,
  download: 1_800,
  verify: 600,
  rehearse: 3_600,
  backup: 1_800,
  install: 3_600,
  // The whole way down and up again, as the cloud waits for it; the agent answers long before or after.
  reboot: 1_200,
  validate: 900,
  commit: 120,
  check: 900,
  rollback: 1_800,
  upload: 7_200,
};

/** Seconds a command may run on one host. */
export function commandSeconds(command: CommandName): number {
  return COMMANDS[command].reduce((sum, step) => sum + STEP_TIMEOUT_SECONDS[step], 0);
}

const count = z.int().nonnegative();
const sha256 = z.string().regex(/^[0-9a-f]{64}$/, "64 hexadecimal digits");

/** What a host says of itself for the seed's metrics and alerts. */
export const HostFigures = z.object({
  /** Packages in state `ii`. */
  totalPackages: count,
  backupCount: count,
  /** Used share of the file system that holds /var/tmp, 0 to 100. */
  diskUsagePercent: z.number().min(0).max(100),
  /** Lines with the violation marker in the agent's logs. */
  securityViolations: count,
  /** Whether autopatch-daemon.service is active. Absent, as the two below, where an older agent answered. */
  daemonActive: z.boolean().optional(),
  /** When an update last ended well or found nothing to do; null when none ever did. */
  lastUpdateAt: z.iso.datetime().nullable().optional(),
  /** Bytes in the folders /var/tmp/autopatch*. */
  diskBytes: count.optional(),
});
export type HostFigures = z.infer<typeof HostFigures>;

/** The short data of each succeeded step; lists live in the full report in S3. */
export const STEP_DATA = {
  preflight: z.object({
    release: z.string(),
    architecture: z.string(),
    pending: count,
    downloadBytes: count,
    figures: HostFigures,
  }),
  download: z.object({
    lockDigest: sha256,
    packages: count,
    removals: count,
    security: count,
    bytes: count,
    /** Distinct CVE ids that the packages fix; null when none of their changelogs could be read, as in a dry run. */
    cves: count.nullable(),
    critical: z.array(z.string()).max(10),
  }),
  verify: z.object({
    lockDigest: sha256,
    packages: count,
    releases: count,
    /** What each repository showed this host, to be compared across the fleet. */
    seen: z.array(ReleaseMark).max(MOST_MARKS).optional(),
  }),
  rehearse: z.object({
    lockDigest: sha256,
    /** False where no clone could be had, or none was wanted; then `reason` says why. */
    possible: z.boolean(),
    reason: z.string().max(500).nullable(),
    /** Paths that the change created, changed or removed. */
    paths: count,
    /** Configuration tests that passed after the change. */
    tests: count,
    wayBack: z.enum(["identical", "notTried"]),
  }),
  backup: z.object({ backupId: z.string(), paths: count, bytes: count }),
  install: z.object({ lockDigest: sha256, packages: count, removals: count, conffilesKept: count }),
  reboot: z.object({
    rebooted: z.boolean(),
    /** What still asks for a reboot. */
    reasons: count,
  }),
  validate: z.object({ checks: count }),
  commit: z.object({ backupId: z.string().nullable(), figures: HostFigures }),
  check: z.object({ checks: count }),
  rollback: z.object({
    backupId: z.string(),
    identical: z.boolean(),
    differences: count,
    /** Paths put back or removed. */
    restored: count,
    /** CVEs that are open again; null when nobody knows what the change had fixed. */
    reopenedCves: count.nullable(),
  }),
  upload: z.object({
    /** Ids of the backups that are in S3 now and were not before; the newest ten. */
    backups: z.array(z.string()).max(10),
    /** Objects sent, and those that were there already. */
    sent: count,
    known: count,
    /** Bytes sent. */
    bytes: count,
  }),
} as const satisfies Record<StepName, z.ZodType>;

export type StepData<S extends StepName> = z.infer<(typeof STEP_DATA)[S]>;
