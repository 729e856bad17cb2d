import { readFileSync } from "node:fs";
import * as z from "zod";
import { DEFAULT_SENDING, SendingPolicy, TargetTag } from "../contract/environment.ts";
import { ApprovalPolicy, DEFAULT_APPROVAL, DEFAULT_GATES, EnvironmentName, GatePolicy } from "../contract/gates.ts";
import { TAGS } from "../contract/names.ts";
import { nearest } from "../contract/nearest.ts";
import { DEFAULT_POLICY, PatchPolicy } from "../contract/request.ts";
import { DEFAULT_WAVES, RunRequest, WavePolicy } from "../contract/run.ts";

export const ROOT_VOLUMES = ["leave", "snapshot", "replace"] as const;
export type RootVolumes = (typeof ROOT_VOLUMES)[number];

/** Fills in defaults key by key, then holds the whole against the schema. */
const over = <S extends z.ZodObject>(schema: S, defaults: z.output<S>) => {
  const fields = defaults as Record<string, unknown>;
  const optional = Object.fromEntries(
    Object.entries(schema.shape).map(([key, field]) => [key, (field as z.ZodType).default(fields[key])]),
  );
  return z.strictObject(optional).prefault({}).pipe(schema) as unknown as z.ZodType<z.output<S>, Partial<z.input<S>>>;
};

/** A run by the clock. */
export const FleetSchedule = z.strictObject({
  /** First part of its runs' names. */
  name: z.string().regex(/^[A-Za-z0-9][A-Za-z0-9-]{0,31}$/, "letters, digits and '-', at most 32"),
  /** As EventBridge Scheduler writes it: minutes hours day-of-month month day-of-week year. */
  cron: z.string().regex(/^cron\((\S+ ){5}\S+\)$/, 'six fields, such as "cron(0 2 ? * TUE *)"'),
  timeZone: z.string().min(1).default("UTC"),
  /** What each of its runs is asked to do. */
  request: RunRequest.omit({ runId: true, resume: true }).default({}),
});
export type FleetSchedule = z.infer<typeof FleetSchedule>;

/** Everything about a deployed stack that can be chosen. Nothing has to be. */
export const FleetConfig = z.strictObject({
  /** Name of the CloudFormation stack and first part of its state machines' names. */
  stackName: z
    .string()
    .regex(/^[A-Za-z][A-Za-z0-9-]{0,39}$/, "a letter, then letters, digits and '-', at most 40")
    .default("AutoPatch"),
  /** Name of the fleet in metrics, reports and requests. */
  fleet: z
    .string()
    .regex(/^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$/, "letters, digits, '_', '.', '-', at most 64")
    .default("default"),
  /** Stands before the names of the SSM documents; set it where several stacks share an account and Region. */
  documentPrefix: z
    .string()
    .regex(/^([A-Za-z0-9][A-Za-z0-9-]{0,39}-)?$/, "empty, or letters, digits and '-' that end in '-'")
    .default(""),
  /** Hosts are those that carry this tag. */
  tag: over(TargetTag, { key: TAGS.enabled, value: "true" }),
  waves: over(WavePolicy, DEFAULT_WAVES),
  /** What kind of fleet it is. In `prod` people approve every change. */
  environment: EnvironmentName.default("dev"),
  /** What must be so before a wave begins. */
  gates: over(GatePolicy, DEFAULT_GATES),
  /** Whom to ask before a change, and for how long. */
  approval: over(ApprovalPolicy, DEFAULT_APPROVAL),
  /** Runs by the clock. */
  schedules: z.array(FleetSchedule).max(20).default([]),
  /**
   * The last way back. snapshot: of each instance's root volume before its change; one of which none can be begun is not changed. replace: a
   * host that was to go back and does not answer gets its root volume back from that snapshot, which reboots it.
   */
  rootVolumes: z.enum(ROOT_VOLUMES).default("leave"),
  policy: over(PatchPolicy, DEFAULT_POLICY),
  sending: over(SendingPolicy, DEFAULT_SENDING),
  /** Seconds to wait for a command's event before looking for oneself. Longer than most commands: each look costs a transition and a call. */
  waitSliceSeconds: z.int().min(10).max(3_600).default(900),
  /** Batches of a wave that are worked on at the same time. */
  batchesAtOnce: z.int().min(1).max(1_000).default(20),
  /** Days after which hosts take a fleet lock no more; longer than from one run to the next. */
  fleetLockDays: z.int().min(1).max(400).default(45),
  /** Days that .debs stay in the fleet's pool, from when they came into it. */
  keepPoolDays: z.int().min(1).default(730),
  /** Days until results and reports of a run are deleted. */
  keepRunsDays: z.int().min(1).default(400),
  /**
   * Each host's metrics under its own instance id too, as in the seed. CloudWatch asks $0.30 a month for each custom metric, by the hour in
   * which it is published, and a host has seven: with one run a day some $0.09 a host and month, for 10,000 hosts some $900; published all
   * day by the hosts themselves $2.10 a host and month. The fleet's own seven cost $2.10 in all.
   */
  instanceMetrics: z.boolean().default(false),
  /** A CloudWatch dashboard: $3 a month beyond an account's first three. */
  dashboard: z.boolean().default(true),
  /** GiB that AutoPatch may keep on a host before an alarm. */
  alarmDiskGigabytes: z.int().min(1).max(10_000).default(10),
  /** Days that a host may go without an update, and the fleet without a run, before an alarm. CloudWatch looks back seven at most. */
  alarmUpdateDays: z.int().min(1).max(7).default(7),
  /** ARN, or name, of the Secrets Manager secret that holds the address of a Slack webhook, and nothing else. @default Slack is told nothing */
  slackSecret: z
    .string()
    .regex(
      /^(arn:aws[a-z-]*:secretsmanager:[a-z0-9-]+:\d{12}:secret:)?[A-Za-z0-9/_+=.@-]{1,512}$/,
      "the ARN or the name of a secret in Secrets Manager; never the webhook's address itself",
    )
    .optional(),
  /** ARN of the KMS key that this secret is encrypted with. @default AWS's own for Secrets Manager, which needs no permission */
  slackSecretKey: z
    .string()
    .regex(/^arn:aws[a-z-]*:kms:[a-z0-9-]+:\d{12}:key\/[A-Za-z0-9-]+$/, "the ARN of a KMS key")
    .optional(),
  keepLogsDays: z
    .literal([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653])
    .default(365),
});
export type FleetConfig = z.infer<typeof FleetConfig>;

/** A configuration that cannot be used; the message names each wrong key or value and what was probably meant. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
}

/**
 * The configuration from CDK's context key `autopatch`: an object, or the path of a JSON file with one.
 * @throws ConfigError
 */
export function readConfig(context: unknown): FleetConfig {
  const [source, value] =
    typeof context === "string" ? [context, readJson(context)] : ["context autopatch", context ?? {}];
  const parsed = FleetConfig.safeParse(value);
  if (parsed.success) return parsed.data;
  throw new ConfigError(parsed.error.issues.map((issue) => `${source}: ${explain(issue, value)}`).join("\n"));
}

function readJson(file: string): unknown {
  try {
    return JSON.parse(readFileSync(file, "utf8"));
  } catch (cause) {
    throw new ConfigError(`${file}: cannot be read as JSON: ${cause instanceof Error ? cause.message : cause}`, {
      cause,
    });
  }
}

const DEFAULTS = FleetConfig.parse({});

/** Keys whose value is not repeated when it is wrong: somebody may have put a secret there. */
const UNSHOWN = new Set(["slackSecret"]);

function explain(issue: z.core.$ZodIssue, whole: unknown): string {
  const where = issue.path.join(".");
  if (issue.code === "unrecognized_keys") {
    const known = Object.keys(issue.path.length === 0 ? FleetConfig.shape : (at(DEFAULTS, issue.path) as object));
    return issue.keys.map((key) => `unknown key ${[...issue.path, key].join(".")}, ${nearest(key, known)}`).join("; ");
  }
  if (UNSHOWN.has(where)) return `${where} is not ${issue.message}`;
  const value = JSON.stringify(at(whole, issue.path));
  if (issue.code === "invalid_value" && typeof at(whole, issue.path) === "string")
    return `${where} is ${value}, ${nearest(at(whole, issue.path) as string, issue.values.map(String))}`;
  return `${where === "" ? "the configuration" : where} is ${value}: ${issue.message}`;
}

function at(value: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>((inner, key) => (inner as Record<PropertyKey, unknown> | undefined)?.[key], value);
}
