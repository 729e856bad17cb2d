import * as z from "zod";
import { InstanceId, RunId } from "./envelope.ts";
import { BatchItem, RunOutcome, RunRequest, WaveVerdict } from "./run.ts";
import { PHASES, type Phase, StepName } from "./steps.ts";

/** What the state machines hand to each Lambda and get back. Small on purpose: lists of results stay in S3. */

/** Stands for the command's id where a batch had no host that a command could be sent to. */
export const NO_COMMAND = "none";

const PhaseName = z.enum(Object.keys(PHASES) as [Phase, ...Phase[]]);

export const PlanMessage = z.object({ executionName: z.string(), request: RunRequest });
export const PlanAnswer = z.object({
  runId: RunId,
  dryRun: z.boolean(),
  waves: z.int().nonnegative(),
  /** Keys of each wave's items, so that no state machine builds one. */
  items: z.array(z.object({ prepare: z.string(), apply: z.string() })),
  /** 0 in a dry run: nothing has changed that could go wrong later. */
  bakeSeconds: z.int().nonnegative(),
  bucket: z.string(),
});

export const DispatchMessage = z.object({
  item: BatchItem,
  step: StepName,
  attempt: z.int().positive(),
  instanceIds: z.array(InstanceId).min(1).max(50),
});
export const DispatchAnswer = z.object({
  commandId: z.string(),
  /** After this every host that has not answered counts as `noAnswer`. */
  deadline: z.iso.datetime(),
  /** Hosts that SSM refused when the command was sent; they never appear among its invocations. */
  undeliverable: z.array(InstanceId),
});

/** Parks the token; the answer comes through SendTaskSuccess, from the command's event or from the Lambda itself when the command has already ended. */
export const AwaitMessage = z.object({ commandId: z.string(), taskToken: z.string() });

export const CollectMessage = z.object({
  item: BatchItem,
  step: StepName,
  attempt: z.int().positive(),
  commandId: z.string(),
  deadline: z.iso.datetime(),
  instanceIds: z.array(InstanceId).min(1),
  undeliverable: z.array(InstanceId),
  /** Hosts of this batch that an earlier step failed and that must be put back. */
  toRollBack: z.array(InstanceId),
});
/**
 * pending: some hosts have not answered and may yet. proceed: `instanceIds` go on to the next step. nobodyLeft: none does.
 * A state machine's choice has one branch for each.
 */
export const COLLECT_VERDICTS = ["pending", "proceed", "nobodyLeft"] as const;
export type CollectVerdict = (typeof COLLECT_VERDICTS)[number];
export const CollectAnswer = z.object({
  verdict: z.enum(COLLECT_VERDICTS),
  instanceIds: z.array(InstanceId),
  toRollBack: z.array(InstanceId),
});

export const AssessMessage = z.object({ runId: RunId, wave: z.int().min(0), phase: PhaseName });
/** After prepare it has written the items of apply: only hosts that passed. */
export const AssessAnswer = WaveVerdict;

export const ReportMessage = z.object({
  runId: RunId,
  /** Error name and cause when the run itself broke. */
  error: z.object({ name: z.string(), cause: z.string() }).nullable(),
});
export const ReportAnswer = z.object({
  runId: RunId,
  outcome: RunOutcome,
  sentence: z.string(),
  reportKey: z.string(),
});

export const NotifyMessage = z.object({ report: ReportAnswer });
export const NotifyAnswer = z.object({ messageId: z.string() });
