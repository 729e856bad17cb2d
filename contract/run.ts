import * as z from "zod";
import { CONTRACT_VERSION, InstanceId, RunId, StepResult } from "./envelope.ts";
import { FAILURE_CODES } from "./failures.ts";
import { Operation, PatchPolicy } from "./request.ts";
import { PHASES, type Phase, StepName } from "./steps.ts";

const share = z.number().min(0).max(1);

/** How a fleet is divided and how much failure it tolerates. */
export const WavePolicy = z.strictObject({
  /** Hosts of the first wave, which proves the change before anyone else gets it. */
  canary: z.int().min(1),
  /** Shares of the remaining hosts, wave by wave; what is left after the last goes with it. */
  steps: z.array(share.gt(0)).min(1),
  /** Share of a wave's hosts that may fail before the run stops. 0: one failed host stops it. */
  errorBudget: share,
  /** Seconds to wait after a wave before the next. */
  bakeSeconds: z.int().min(0).max(604_800),
});
export type WavePolicy = z.infer<typeof WavePolicy>;

export const DEFAULT_WAVES: WavePolicy = { canary: 1, steps: [0.25, 1], errorBudget: 0, bakeSeconds: 900 };

/** Input of PatchFleet. Everything left out takes the stack's configured value. */
export const RunRequest = z.strictObject({
  /** @default the execution's name */
  runId: RunId.optional(),
  /** @default every online instance that carries the fleet's tag */
  instanceIds: z.array(InstanceId).min(1).optional(),
  operation: Operation.optional(),
  dryRun: z.boolean().optional(),
  waves: WavePolicy.partial().optional(),
  policy: PatchPolicy.partial().optional(),
});
export type RunRequest = z.infer<typeof RunRequest>;

/** A host as SSM knows it when the run is planned. */
export const Host = z.object({
  instanceId: InstanceId,
  name: z.string(),
  platform: z.string(),
  online: z.boolean(),
  lastPing: z.string(),
});
export type Host = z.infer<typeof Host>;

export const Wave = z.object({
  index: z.int().min(0),
  name: z.string(),
  /** At most 50 hosts each. */
  batches: z.array(z.array(InstanceId).min(1).max(50)).min(1),
});
export type Wave = z.infer<typeof Wave>;

/** The run as planned: written once, read by everything after. */
export const Snapshot = z.object({
  contractVersion: z.literal(CONTRACT_VERSION),
  runId: RunId,
  fleet: z.string(),
  plannedAt: z.iso.datetime(),
  dryRun: z.boolean(),
  policy: PatchPolicy,
  waves: z.array(Wave),
  wavePolicy: WavePolicy,
  hosts: z.array(Host),
  leftOut: z.array(z.object({ instanceId: InstanceId, name: z.string(), reason: z.string() })),
});
export type Snapshot = z.infer<typeof Snapshot>;

/** One item of the Distributed Map: what a PatchBatch is about. */
export const BatchItem = z.object({
  runId: RunId,
  wave: z.int().min(0),
  batch: z.int().min(0),
  instanceIds: z.array(InstanceId).min(1).max(50),
});
export type BatchItem = z.infer<typeof BatchItem>;

/** What one command brought back from the hosts of a batch: one entry for each, readable or not. */
export const StepCollection = z.object({
  step: StepName,
  attempt: z.int().positive(),
  commandId: z.string(),
  results: z.array(z.object({ instanceId: InstanceId, result: StepResult })),
});
export type StepCollection = z.infer<typeof StepCollection>;

/**
 * Where a host stands at the end. `unchanged`: it failed or was left before anything was altered. `inDoubt`: nothing that was
 * seen says whether it is old or new; never counted as either.
 */
export const HOST_OUTCOMES = [
  "committed",
  "rolledBack",
  "unchanged",
  "nothingToDo",
  "blocked",
  "planned",
  "inDoubt",
] as const;
export const HostOutcome = z.enum(HOST_OUTCOMES);
export type HostOutcome = z.infer<typeof HostOutcome>;

export const WaveVerdict = z.object({
  wave: z.int().min(0),
  phase: z.enum(Object.keys(PHASES) as [Phase, ...Phase[]]),
  hosts: z.int().nonnegative(),
  failed: z.int().nonnegative(),
  /** Hosts that may fail in a wave of this size. */
  allowed: z.int().nonnegative(),
  decision: z.enum(["continue", "stop"]),
  reason: z.string(),
});
export type WaveVerdict = z.infer<typeof WaveVerdict>;

/** succeeded: every host committed or had nothing to do. partial: some were put back, within the error budget. stopped: a wave's verdict ended it. failed: the run itself broke. */
export const RunOutcome = z.enum(["succeeded", "partial", "stopped", "failed"]);
export type RunOutcome = z.infer<typeof RunOutcome>;

/** One package on one host, from the plan that the host carried out or would have. */
export const PackageChange = z.object({
  name: z.string(),
  architecture: z.string(),
  from: z.string().nullable(),
  /** Null when it is removed. */
  to: z.string().nullable(),
  security: z.boolean(),
  critical: z.boolean(),
});
export type PackageChange = z.infer<typeof PackageChange>;

export const HostReport = z.object({
  instanceId: InstanceId,
  name: z.string(),
  wave: z.int().min(0),
  outcome: HostOutcome,
  /** The first step that failed, and why. */
  failure: z.object({ step: StepName, code: z.enum(FAILURE_CODES), message: z.string() }).nullable(),
  packages: z.array(PackageChange),
  backupId: z.string().nullable(),
  /** The agent's own comparison after a rollback. */
  rollback: z.object({ identical: z.boolean(), differences: z.int().nonnegative() }).nullable(),
  steps: z.array(
    z.object({
      step: StepName,
      attempt: z.int().positive(),
      outcome: z.string(),
      startedAt: z.string(),
      durationMs: z.int().nonnegative(),
    }),
  ),
});
export type HostReport = z.infer<typeof HostReport>;

/** The run as it was seen: what the report Lambda writes to S3 and what people and programs read. */
export const RunReport = z.object({
  contractVersion: z.literal(CONTRACT_VERSION),
  runId: RunId,
  fleet: z.string(),
  dryRun: z.boolean(),
  operation: Operation,
  plannedAt: z.string(),
  finishedAt: z.string(),
  outcome: RunOutcome,
  /** One sentence that says it all, for subjects and first lines. */
  sentence: z.string(),
  waves: z.array(z.object({ index: z.int(), name: z.string(), hosts: z.int(), verdicts: z.array(WaveVerdict) })),
  hosts: z.array(HostReport),
  leftOut: Snapshot.shape.leftOut,
});
export type RunReport = z.infer<typeof RunReport>;
