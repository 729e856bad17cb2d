import * as z from "zod";
import { APPROVAL_VERDICTS } from "./approval.ts";
import { InstanceId, RunId } from "./envelope.ts";
import { GATE_VERDICTS, PhaseName } from "./gates.ts";
import { BatchItem, RootReplacement, RootSnapshot, RunOutcome, RunRequest, WaveVerdict } from "./run.ts";
import { CommandName } from "./steps.ts";

/** What the state machines hand to each Lambda and get back. Small on purpose: lists of results stay in S3. */

export const PlanMessage = z.object({ executionName: z.string(), request: RunRequest });
export const PlanAnswer = z.object({
  runId: RunId,
  dryRun: z.boolean(),
  waves: z.int().nonnegative(),
  /** Keys of each wave's items, so that no state machine builds one. */
  items: z.array(z.object({ prepare: z.string(), apply: z.string(), check: z.string(), rollback: z.string() })),
  /** 0 in a dry run: nothing has changed that could go wrong later. */
  bakeSeconds: z.int().nonnegative(),
  bucket: z.string(),
});

/** Sends a command to hosts of a batch, or finds what was sent already, and waits for its end with the token. */
export const DispatchMessage = z.object({
  item: BatchItem,
  command: CommandName,
  attempt: z.int().positive(),
  instanceIds: z.array(InstanceId).min(1).max(50),
  /** Hosts of this batch that an earlier command failed and that must be put back. */
  toRollBack: z.array(InstanceId),
  taskToken: z.string(),
  /** Where a snapshot is wanted before a change: those that there are. An instance without one is not asked. */
  snapshots: z.array(RootSnapshot).nullable().optional(),
  /** What came of replacing their root volumes just before. */
  replaced: z.array(RootReplacement).optional(),
});

/** proceed: `instanceIds` go on to the next command. nobodyLeft: none does. A state machine's choice has one branch for each. */
export const COMMAND_VERDICTS = ["proceed", "nobodyLeft"] as const;
export type CommandVerdict = (typeof COMMAND_VERDICTS)[number];
/** What the token is answered with once every host has answered, or can no more; or before, when those that did may not be kept waiting. */
export const CommandEnd = z.object({
  verdict: z.enum(COMMAND_VERDICTS),
  instanceIds: z.array(InstanceId),
  toRollBack: z.array(InstanceId),
  /** Hosts that have not answered yet and are still waited for. */
  waiting: z.array(InstanceId),
  /** Hosts that were to go back and of which nothing was heard. */
  lost: z.array(InstanceId),
});
export type CommandEnd = z.infer<typeof CommandEnd>;

/** Hosts whose answers to a command are waited for, and those of the batch that must be put back already. */
export const Awaited = DispatchMessage.pick({ instanceIds: true, toRollBack: true });
export type Awaited = z.infer<typeof Awaited>;

/** Who waits for a command, for which of its hosts, and where in the bucket it says what was sent. */
export const ParkedToken = Awaited.extend({ taskToken: z.string(), sent: z.string() });

/** Asked before a phase of a wave begins, and again as long as the answer is `wait`. */
export const GateMessage = z.object({
  runId: RunId,
  wave: z.int().min(0),
  phase: PhaseName,
  /** When it was asked for this border first; null the first time. */
  since: z.iso.datetime().nullable(),
});
export const GateAnswer = z.object({
  verdict: z.enum(GATE_VERDICTS),
  reason: z.string(),
  since: z.iso.datetime(),
  /** Seconds until the next look. */
  waitSeconds: z.int().nonnegative(),
});

/** Tells people of a plan, once, and waits with the token for what they say. */
export const AskApprovalMessage = z.object({ runId: RunId, digest: z.string(), taskToken: z.string() });
/** What the token is answered with. */
export const ApprovalAnswer = z.object({ verdict: z.enum(APPROVAL_VERDICTS) });
export type ApprovalAnswer = z.infer<typeof ApprovalAnswer>;
export const ParkedApproval = z.object({ taskToken: z.string() });

/** What a schedule sends: the same time gives the same run. */
export const ScheduledStart = z.object({
  schedule: z.string().regex(/^[A-Za-z0-9][A-Za-z0-9-]{0,31}$/),
  /** As EventBridge Scheduler puts it in: `2026-03-22T18:59:43Z`. */
  scheduledTime: z.iso.datetime(),
  stateMachineArn: z.string().startsWith("arn:"),
  request: RunRequest,
});
export const ScheduledStartAnswer = z.object({ name: RunId, started: z.boolean() });

export const AssessMessage = z.object({ runId: RunId, wave: z.int().min(0), phase: PhaseName });
/** After prepare it has written the items of apply: only hosts that passed; after apply those of what `committed` says. */
export const AssessAnswer = WaveVerdict.extend({
  /** Digest of the plan that people must approve first; null where they need not. */
  approval: z.string().nullable(),
});

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
export const NotifyAnswer = z.object({
  messageId: z.string(),
  /** `sent`, or `not sent: why`; absent where no webhook is configured. */
  slack: z.string().optional(),
});
