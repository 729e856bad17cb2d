import * as z from "zod";
import { ApprovalEnd } from "./approval.ts";
import { CveId } from "./cve.ts";
import { CONTRACT_VERSION, InstanceId, RunId, StepResult } from "./envelope.ts";
import { FAILURE_CODES } from "./failures.ts";
import { Operation, PatchPolicy } from "./request.ts";
import { CommandName, PHASES, type Phase, StepName } from "./steps.ts";

const share = z.number().min(0).max(1);
const percent = z.string().regex(/^([1-9][0-9]?|100)%$/, "a share such as 10%");
/** Hosts that may fail: as SendCommand writes it, a number of hosts (`"1"`) or a share (`"10%"`); or a share from 0 to below 1. */
const ErrorBudget = z.union([
  z
    .number()
    .min(0)
    .lt(1, 'a share from 0 to below 1: 1 could mean one host or all of them; write "1" for one host, "100%" for all'),
  z.string().regex(/^(0|[1-9][0-9]*|[1-9]?[0-9]%|100%)$/, "a number of hosts, or a share such as 10%"),
]);
export type ErrorBudget = z.infer<typeof ErrorBudget>;

/** How a fleet is divided and how much failure it tolerates. */
export const WavePolicy = z.strictObject({
  /** Hosts of the first wave, which proves the change before anyone else gets it: how many, or a share such as `10%`. */
  canary: z.union([z.int().min(1), percent]),
  /** Shares of the remaining hosts, wave by wave, from 0 to 1 or as `25%`; what is left after the last goes with it. */
  steps: z.array(z.union([share.gt(0), percent])).min(1),
  /** Hosts of a wave that may fail before the run stops. 0: one failed host stops it. */
  errorBudget: ErrorBudget,
  /** Hosts of the whole run that may fail. @default as `errorBudget`, of all its hosts */
  runErrorBudget: ErrorBudget.optional(),
  /** Seconds to wait after a wave before the next. */
  bakeSeconds: z.int().min(0).max(604_800),
  /** What becomes of the hosts of a wave that committed, when the wave stops the run. @default keep */
  onStop: z.enum(["keep", "rollBackWave"]).optional(),
});
export type WavePolicy = z.infer<typeof WavePolicy>;

/** One host may fail, as in the seed; a canary alone that fails proves nothing and stops the run all the same. */
export const DEFAULT_WAVES: WavePolicy = {
  canary: 1,
  steps: [0.25, 1],
  errorBudget: "1",
  bakeSeconds: 900,
  onStop: "keep",
};

/** Hosts by something else than their ids; what stands together must all be true. The fleet's own tag is always asked for too. */
export const Targets = z.strictObject({
  tags: z
    .array(z.strictObject({ key: z.string().min(1).max(128), value: z.string().max(256) }))
    .max(5)
    .optional(),
  autoScalingGroup: z.string().min(1).max(255).optional(),
  /** Name or ARN of a resource group. */
  resourceGroup: z.string().min(1).max(300).optional(),
});
export type Targets = z.infer<typeof Targets>;

/** Input of PatchFleet. Everything left out takes the stack's configured value. */
export const RunRequest = z.strictObject({
  /** @default the execution's name */
  runId: RunId.optional(),
  /** @default every online instance that carries the fleet's tag */
  instanceIds: z.array(InstanceId).min(1).optional(),
  /** Narrows the hosts down further. */
  targets: Targets.optional(),
  /** A run that was stopped or broke: its hosts that are not committed, with its policy, and without a canary when its own was healthy. */
  resume: RunId.optional(),
  /** Minutes after its planning by which it must have ended. @default the configured window */
  windowMinutes: z.int().min(1).max(10_080).optional(),
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
  /** Availability Zone, where it is known. */
  zone: z.string().optional(),
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
  /** The run that this one goes on with. */
  resumes: RunId.optional(),
  /** Its canary was healthy: the first wave of this run need prove nothing. */
  proven: z.boolean().optional(),
  /** Nothing begins that would not have ended by then. */
  windowEndsAt: z.iso.datetime().optional(),
});
export type Snapshot = z.infer<typeof Snapshot>;

/** What holds for every host of the run: all that a batch needs to know of it, however many hosts there are. Written once. */
export const RunTerms = Snapshot.omit({ waves: true, hosts: true, leftOut: true });
export type RunTerms = z.infer<typeof RunTerms>;

/** One item of the Distributed Map: what a PatchBatch is about. */
export const BatchItem = z.object({
  runId: RunId,
  wave: z.int().min(0),
  batch: z.int().min(0),
  instanceIds: z.array(InstanceId).min(1).max(50),
  /** @default false */
  dryRun: z.literal(true).optional(),
});
export type BatchItem = z.infer<typeof BatchItem>;

/**
 * Why no command goes to a host: SSM takes none, since it is offline, unknown, or without the fleet's tag; or its root volume has no
 * snapshot, where one is wanted before the change.
 */
export const SendRefusal = z.enum(["undeliverable", "hostGone", "notEnrolled", "snapshotFailed"]);
export type SendRefusal = z.infer<typeof SendRefusal>;

/** A host's root volume as it was before its change. */
export const RootSnapshot = z.object({ instanceId: InstanceId, snapshotId: z.string().startsWith("snap-") });
export type RootSnapshot = z.infer<typeof RootSnapshot>;

/** What came of giving a host that volume back: EC2's own word for the end of the task, or why there was none. */
export const RootReplacement = RootSnapshot.extend({
  state: z.enum(["succeeded", "failed", "failed-detached", "refused", "unfinished"]),
});
export type RootReplacement = z.infer<typeof RootReplacement>;

/** A command as it was sent to the hosts of a batch, or as it is about to be. */
export const SentCommand = z.object({
  item: BatchItem,
  command: CommandName,
  attempt: z.int().positive(),
  /** Null where no host was left that it could be sent to. */
  commandId: z.string().nullable(),
  /** Hosts that were to get it. */
  instanceIds: z.array(InstanceId).min(1).max(50),
  /** Those of them that SSM refused; they never appear among its invocations. */
  undeliverable: z.array(InstanceId),
  /** Why it refused each of those. */
  refusals: z.record(InstanceId, SendRefusal).optional(),
  /**
   * Absent once SSM has taken the command. underWay: noted before it was sent, so whether it went out is not known. refused: SSM answered
   * that it takes it for no host.
   */
  sending: z.enum(["underWay", "refused"]).optional(),
  sentAt: z.iso.datetime().optional(),
  /** After this every host that has not answered counts as `noAnswer`. */
  deadline: z.iso.datetime(),
  /** Hosts of this batch that must be put back, from earlier commands. */
  toRollBack: z.array(InstanceId),
  dryRun: z.boolean(),
  /** Seconds that hosts stay on trial after it; absent where it puts none on trial. */
  trialSeconds: z.int().positive().optional(),
  /** What came of replacing the root volumes of these hosts, before it was sent. */
  replaced: z.array(RootReplacement).optional(),
});
export type SentCommand = z.infer<typeof SentCommand>;

/** What one command brought back: of each host its steps, up to the first that did not pass; readable or not, there is at least one. */
export const CommandResults = z.object({
  command: CommandName,
  attempt: z.int().positive(),
  commandId: z.string().nullable(),
  results: z.array(z.object({ instanceId: InstanceId, steps: z.array(StepResult).min(1) })),
  /** As in what was sent. */
  replaced: z.array(RootReplacement).optional(),
});
export type CommandResults = z.infer<typeof CommandResults>;

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
  /** It stopped because somebody may be tampering. */
  violation: z.boolean().optional(),
  /** What is still to be done with the hosts of the wave that committed: ask them again after the bake, or put them back. */
  committed: z.enum(["check", "rollBack"]).optional(),
  /** It is not what came of the phase but why it never began. */
  before: z.boolean().optional(),
  /** `aws:userid` of who stopped it. */
  by: z.string().optional(),
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
  /** CVE ids it fixes; null when they are not known. */
  cves: z.array(CveId).nullable(),
  /** There may be more: its changelog is cut. */
  cvesIncomplete: z.boolean(),
});
export type PackageChange = z.infer<typeof PackageChange>;

export const HostReport = z.object({
  instanceId: InstanceId,
  name: z.string(),
  wave: z.int().min(0),
  outcome: HostOutcome,
  /** The first step that failed, and why. */
  failure: z.object({ step: StepName, code: z.enum(FAILURE_CODES), message: z.string() }).nullable(),
  /** Why it stands where it does though none of its steps failed. */
  because: z.string().optional(),
  packages: z.array(PackageChange),
  backupId: z.string().nullable(),
  /** The agent's own comparison after a rollback, and the CVE ids that are open again; null when nobody knows which. */
  rollback: z
    .object({
      identical: z.boolean(),
      differences: z.int().nonnegative(),
      reopenedCves: z.array(CveId).nullable(),
    })
    .nullable(),
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
  /** What people were asked, and what they said. */
  approvals: z.array(ApprovalEnd).optional(),
  resumes: RunId.optional(),
});
export type RunReport = z.infer<typeof RunReport>;
