import * as z from "zod";

/** One agent call each, in the order a host lives through them; rollback ends what failed. */
export const STEPS = [
  "preflight",
  "download",
  "verify",
  "backup",
  "install",
  "validate",
  "commit",
  "rollback",
] as const;

export const StepName = z.enum(STEPS);
export type StepName = z.infer<typeof StepName>;

/** The steps that read and fetch, and those that change the host. A wave prepares as a whole before any of it is applied. */
export const PHASES = {
  prepare: ["preflight", "download", "verify"],
  apply: ["backup", "install", "validate", "commit"],
} as const satisfies Record<string, readonly StepName[]>;
export type Phase = keyof typeof PHASES;

/** Seconds a step may run on the host before the SSM agent kills it; deadlines inside the agent are shorter. */
export const STEP_TIMEOUT_SECONDS: Record<StepName, number> = {
  preflight: 900,
  download: 1_800,
  verify: 600,
  backup: 1_800,
  install: 3_600,
  validate: 900,
  commit: 120,
  rollback: 1_800,
};

const count = z.int().nonnegative();
const sha256 = z.string().regex(/^[0-9a-f]{64}$/, "64 hexadecimal digits");

/** What a host says of itself for the seed's metrics. */
const HostFigures = z.object({
  /** Packages in state `ii`. */
  totalPackages: count,
  backupCount: count,
  /** Used share of the file system that holds /var/tmp, 0 to 100. */
  diskUsagePercent: z.number().min(0).max(100),
  /** Lines with the violation marker in the agent's logs. */
  securityViolations: count,
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
    critical: z.array(z.string()).max(10),
  }),
  verify: z.object({ lockDigest: sha256, packages: count, releases: count }),
  backup: z.object({ backupId: z.string(), paths: count, bytes: count }),
  install: z.object({ lockDigest: sha256, packages: count, removals: count, conffilesKept: count }),
  validate: z.object({ checks: count }),
  commit: z.object({ backupId: z.string().nullable(), figures: HostFigures }),
  rollback: z.object({
    backupId: z.string(),
    identical: z.boolean(),
    differences: count,
    /** Paths put back or removed. */
    restored: count,
  }),
} as const satisfies Record<StepName, z.ZodType>;

export type StepData<S extends StepName> = z.infer<(typeof STEP_DATA)[S]>;
