import * as z from "zod";
import { PHASES, type Phase } from "./steps.ts";

/** What stands before a wave prepares, and again before it applies. */
export const GatePolicy = z.strictObject({
  /** Names or ARNs of SSM change calendars that must be open. */
  calendars: z.array(z.string().min(1).max(256)).max(5),
  /** Names of CloudWatch alarms, composite ones too, that must be in OK; one that is missing is not. */
  alarms: z.array(z.string().min(1).max(255)).max(10),
  /** What a run does before a closed calendar, an alarm, or something that cannot be asked. A freeze or a stop always ends it. */
  whenClosed: z.enum(["wait", "stop"]),
  /** Minutes a run waits at one border at most; then it stops. */
  waitMinutes: z.int().min(0).max(10_080),
  /** Seconds between two looks. */
  lookSeconds: z.int().min(5).max(3_600),
  /** Minutes after its planning by which a run must have ended: no phase begins that would not. Null: it has no end. */
  windowMinutes: z.int().min(1).max(10_080).nullable(),
  /** Minutes that a wave of one turn is taken to last before one has been seen; half of it preparing. */
  waveMinutes: z.int().min(1).max(10_080),
});
export type GatePolicy = z.infer<typeof GatePolicy>;

export const DEFAULT_GATES: GatePolicy = {
  calendars: [],
  alarms: [],
  whenClosed: "wait",
  waitMinutes: 240,
  lookSeconds: 300,
  windowMinutes: null,
  waveMinutes: 60,
};

/** Where approval is asked for between a wave's preparation and its change. In the environment `prod` always. */
export const ApprovalPolicy = z.strictObject({
  /** Elsewhere too, when critical packages are planned. */
  critical: z.boolean(),
  /** Different people that must approve. */
  people: z.int().min(1).max(5),
  /** Minutes after which what nobody approved is not carried out. */
  expiresMinutes: z.int().min(1).max(10_080),
  /** What becomes of a later wave whose plan holds more than was approved. */
  whenPlanGrows: z.enum(["askAgain", "stop"]),
});
export type ApprovalPolicy = z.infer<typeof ApprovalPolicy>;

export const DEFAULT_APPROVAL: ApprovalPolicy = {
  critical: true,
  people: 1,
  expiresMinutes: 1_440,
  whenPlanGrows: "askAgain",
};

export const ENVIRONMENTS = ["dev", "test", "staging", "prod"] as const;
export const EnvironmentName = z.enum(ENVIRONMENTS);

/** Why a phase may begin, must wait, or does not begin at all. */
export const GATE_VERDICTS = ["open", "wait", "stop"] as const;
export const GateVerdict = z.object({
  verdict: z.enum(GATE_VERDICTS),
  /** In words, what is open or what is not. */
  reason: z.string(),
  /** Who stopped or froze it, by `aws:userid`; null where nobody did. */
  by: z.string().nullable(),
});
export type GateVerdict = z.infer<typeof GateVerdict>;

export const PhaseName = z.enum(Object.keys(PHASES) as [Phase, ...Phase[]]);
