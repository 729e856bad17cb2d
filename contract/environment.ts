import * as z from "zod";
import { ApprovalPolicy, EnvironmentName, GatePolicy } from "./gates.ts";
import { PatchPolicy } from "./request.ts";
import { WavePolicy } from "./run.ts";

/** How commands are sent. Shares and counts as SendCommand takes them: `50%`, `1`. */
export const SendingPolicy = z.strictObject({
  /** Hosts of a batch that prepare, back up or install at the same time. */
  maxConcurrency: z.string().regex(/^([1-9][0-9]*|[1-9][0-9]?%|100%)$/, "a number from 1, or a share such as 50%"),
  /** Failures in a batch after which no further host of it begins; 1: the second failure stops it. */
  maxErrors: z.string().regex(/^(0|[1-9][0-9]*|[1-9]?[0-9]%|100%)$/, "a number, or a share such as 10%"),
  /** Seconds within which a host must take up a command once its turn has come. */
  deliverySeconds: z.int().min(30).max(86_400),
  /** Seconds added to a command's deadline for its result to arrive. */
  slackSeconds: z.int().min(1).max(3_600),
});
export type SendingPolicy = z.infer<typeof SendingPolicy>;

/** Concurrency and errors are the seed's. */
export const DEFAULT_SENDING: SendingPolicy = {
  maxConcurrency: "50%",
  maxErrors: "1",
  deliverySeconds: 600,
  slackSeconds: 60,
};

export const TargetTag = z.strictObject({ key: z.string().min(1).max(128), value: z.string().min(1).max(256) });
export type TargetTag = z.infer<typeof TargetTag>;

/** How fleet locks are signed. */
export const FleetLockSettings = z.strictObject({
  /** ARN of the KMS key. */
  keyArn: z.string().startsWith("arn:"),
  /** Days after which no host takes a fleet lock any more. */
  validDays: z.int().min(1).max(400),
});
export type FleetLockSettings = z.infer<typeof FleetLockSettings>;

/** A value that travels as JSON text, checked with the same schema at both ends. */
function jsonText<T extends z.ZodType>(schema: T) {
  return z
    .string()
    .transform((text, context): unknown => {
      try {
        return JSON.parse(text);
      } catch {
        context.addIssue({ code: "custom", message: "not JSON" });
        return z.NEVER;
      }
    })
    .pipe(schema);
}

const VARIABLES = {
  AUTOPATCH_FLEET: z.string().min(1).max(64),
  AUTOPATCH_BUCKET: z.string().min(3),
  AUTOPATCH_TOPIC_ARN: z.string().startsWith("arn:"),
  AUTOPATCH_DOCUMENT_PREFIX: z.string(),
  AUTOPATCH_TAG: jsonText(TargetTag),
  AUTOPATCH_WAVES: jsonText(WavePolicy),
  AUTOPATCH_POLICY: jsonText(PatchPolicy),
  AUTOPATCH_SENDING: jsonText(SendingPolicy),
  AUTOPATCH_INSTANCE_METRICS: jsonText(z.boolean()).optional(),
  AUTOPATCH_PATCH_FLEET_ARN: z.string().startsWith("arn:").optional(),
  AUTOPATCH_SLACK_SECRET: z.string().min(1).optional(),
  AUTOPATCH_FLEET_LOCK: jsonText(FleetLockSettings),
  AUTOPATCH_ENVIRONMENT: EnvironmentName,
  AUTOPATCH_GATES: jsonText(GatePolicy),
  AUTOPATCH_APPROVAL: jsonText(ApprovalPolicy),
  AUTOPATCH_DECISIONS_BUCKET: z.string().min(3),
  AUTOPATCH_BATCHES_AT_ONCE: z.coerce.number().int().min(1),
  AUTOPATCH_WAIT_SLICE_SECONDS: z.coerce.number().int().min(1),
  AUTOPATCH_RESTORE_SECONDS: z.coerce.number().int().min(0),
};
const Variables = z.object(VARIABLES);

/** What the stack tells its Lambdas, once. */
export interface FleetSettings {
  readonly fleet: string;
  readonly bucket: string;
  readonly topicArn: string;
  /** Stands before every document's name, so that several stacks fit into one account. */
  readonly documentPrefix: string;
  readonly tag: TargetTag;
  readonly waves: WavePolicy;
  readonly policy: PatchPolicy;
  readonly sending: SendingPolicy;
  /** Each host's metrics under its own id too. @default false */
  readonly instanceMetrics?: boolean | undefined;
  /** The state machine that runs are started by; messages say how. */
  readonly patchFleetArn?: string | undefined;
  /** ARN or name of the secret that holds the address of a Slack webhook. @default nothing is told to Slack */
  readonly slackSecret?: string | undefined;
  readonly fleetLock: FleetLockSettings;
  /** What kind of fleet it is: in `prod` every change wants approval. */
  readonly environment: z.infer<typeof EnvironmentName>;
  readonly gates: GatePolicy;
  readonly approval: ApprovalPolicy;
  /** Where people's decisions lie. */
  readonly decisionsBucket: string;
  readonly batchesAtOnce: number;
  /** Seconds after which a command's end is looked for where no event tells it. */
  readonly waitSliceSeconds: number;
  /** Seconds that a batch may take longer for hosts that get their root volumes back; 0 where none do. */
  readonly restoreSeconds: number;
}

/** The settings as environment variables. Values may still be CloudFormation tokens. */
export function toEnvironment(settings: FleetSettings): Record<string, string> {
  const { instanceMetrics, patchFleetArn, slackSecret } = settings;
  return {
    AUTOPATCH_FLEET: settings.fleet,
    AUTOPATCH_BUCKET: settings.bucket,
    AUTOPATCH_TOPIC_ARN: settings.topicArn,
    AUTOPATCH_DOCUMENT_PREFIX: settings.documentPrefix,
    AUTOPATCH_TAG: JSON.stringify(settings.tag),
    AUTOPATCH_WAVES: JSON.stringify(settings.waves),
    AUTOPATCH_POLICY: JSON.stringify(settings.policy),
    AUTOPATCH_SENDING: JSON.stringify(settings.sending),
    ...(instanceMetrics === undefined ? {} : { AUTOPATCH_INSTANCE_METRICS: String(instanceMetrics) }),
    ...(patchFleetArn === undefined ? {} : { AUTOPATCH_PATCH_FLEET_ARN: patchFleetArn }),
    ...(slackSecret === undefined ? {} : { AUTOPATCH_SLACK_SECRET: slackSecret }),
    AUTOPATCH_FLEET_LOCK: JSON.stringify(settings.fleetLock),
    AUTOPATCH_ENVIRONMENT: settings.environment,
    AUTOPATCH_GATES: JSON.stringify(settings.gates),
    AUTOPATCH_APPROVAL: JSON.stringify(settings.approval),
    AUTOPATCH_DECISIONS_BUCKET: settings.decisionsBucket,
    AUTOPATCH_BATCHES_AT_ONCE: String(settings.batchesAtOnce),
    AUTOPATCH_WAIT_SLICE_SECONDS: String(settings.waitSliceSeconds),
    AUTOPATCH_RESTORE_SECONDS: String(settings.restoreSeconds),
  };
}

/** @throws Error naming each variable that is missing or wrong */
export function fromEnvironment(environment: Readonly<Record<string, string | undefined>>): FleetSettings {
  const parsed = Variables.safeParse(environment);
  if (!parsed.success)
    throw new Error(
      `the function's environment is not what the stack sets: ${z.prettifyError(parsed.error)}; deploy again`,
    );
  const { data } = parsed;
  return {
    fleet: data.AUTOPATCH_FLEET,
    bucket: data.AUTOPATCH_BUCKET,
    topicArn: data.AUTOPATCH_TOPIC_ARN,
    documentPrefix: data.AUTOPATCH_DOCUMENT_PREFIX,
    tag: data.AUTOPATCH_TAG,
    waves: data.AUTOPATCH_WAVES,
    policy: data.AUTOPATCH_POLICY,
    sending: data.AUTOPATCH_SENDING,
    instanceMetrics: data.AUTOPATCH_INSTANCE_METRICS,
    patchFleetArn: data.AUTOPATCH_PATCH_FLEET_ARN,
    slackSecret: data.AUTOPATCH_SLACK_SECRET,
    fleetLock: data.AUTOPATCH_FLEET_LOCK,
    environment: data.AUTOPATCH_ENVIRONMENT,
    gates: data.AUTOPATCH_GATES,
    approval: data.AUTOPATCH_APPROVAL,
    decisionsBucket: data.AUTOPATCH_DECISIONS_BUCKET,
    batchesAtOnce: data.AUTOPATCH_BATCHES_AT_ONCE,
    waitSliceSeconds: data.AUTOPATCH_WAIT_SLICE_SECONDS,
    restoreSeconds: data.AUTOPATCH_RESTORE_SECONDS,
  };
}
