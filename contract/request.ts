import * as z from "zod";
import { CONTRACT_VERSION, InstanceId, RunId } from "./envelope.ts";
import { Failure } from "./failures.ts";
import { CRITICAL_PACKAGES, REQUEST_PATTERN } from "./names.ts";
import { STEP_TIMEOUT_SECONDS, StepName } from "./steps.ts";

export const Operation = z.enum(["auto-update", "full-update"]);
/** auto-update removes nothing; full-update may remove packages, as apt's dist-upgrade does. */
export type Operation = z.infer<typeof Operation>;

/** A package name; `*` stands for any characters, `?` for one. */
const PackagePattern = z.string().regex(/^[a-z0-9*?][a-z0-9+.*?-]{0,127}$/, "a package name, or a glob with * and ?");

export const FLEET_LOCK = ["off", "whereProven", "required"] as const;

export const REHEARSE = ["off", "whenPossible", "required"] as const;

/** What becomes of some configuration files. */
export const ConffileRule = z.strictObject({
  /** Absolute paths; `*` stands for any characters, `/` included, `?` for one. */
  path: z.string().regex(/^\/[^\s]{1,255}$/, "an absolute path, or a glob with * and ?"),
  action: z.enum(["keep", "replace"]),
});
export type ConffileRule = z.infer<typeof ConffileRule>;

export const MINIMUM_TRIAL_SECONDS = 10;
export const MAXIMUM_TRIAL_SECONDS = 86_400;
export const DEFAULT_TRIAL_SECONDS = 3_600;

/** What may be decided for a host from outside; the same for every host of a batch. */
export const PatchPolicy = z.object({
  operation: Operation,
  /** Package names that want a person's eye; each matches itself and `name-…`. */
  critical: z.array(z.string()),
  /** What becomes of a configuration file that both the administrator and the package changed. */
  conffiles: z.enum(["keep", "replace"]),
  /** Seconds to wait for apt's and dpkg's locks. */
  lockWaitSeconds: z.int().min(0).max(1_800),
  /** Least free share of the file system of /var/tmp, in percent: the seed refuses above 80 % used. */
  minimumFreePercent: z.number().min(0).max(90),
  /** Oldest Release file accepted, in days since its Date. */
  maximumMetadataAgeDays: z.int().min(1),
  /** Hours that mirrors behind one name may be behind each other: a Release older than that beside one accepted before is a replay. */
  mirrorLagHours: z.int().min(0).max(720),
  /**
   * The .debs of what is replaced or removed, kept for a way back that needs no file pre-images: not at all, as far as they can be
   * had, or without which nothing is downloaded.
   */
  previousDebs: z.enum(["off", "bestEffort", "required"]),
  /** Whether the change is made in a clone of the host before its window. required: a host of which no clone can be had is not patched. */
  rehearse: z.enum(REHEARSE),
  /** Whether a host reboots itself when the change wants it, between install and validate. @default what the host's configuration says: never, and it is reported */
  reboot: z.enum(["never", "whenRequired"]).optional(),
  /** Seconds a host may stay on trial before it goes back by itself. @default what the host's configuration says */
  trialSeconds: z.int().min(MINIMUM_TRIAL_SECONDS).max(MAXIMUM_TRIAL_SECONDS).optional(),
  /** For single files, what `conffiles` says for all: the first rule whose glob matches the path counts. */
  conffileRules: z.array(ConffileRule).max(100).optional(),
  /** Only versions that a security pocket offers. */
  securityOnly: z.boolean(),
  /** When not empty, of what is installed only this is updated; what it newly depends on may come in. Names and globs. */
  allow: z.array(PackagePattern).max(100),
  /** Never installed, updated or removed. Names and globs. */
  deny: z.array(PackagePattern).max(100),
  /** Days since this host first saw a version, with these very bytes, in its package lists. */
  minimumAgeDays: z.int().min(0).max(365),
  /**
   * Whether the waves after the canaries install what those proved and nothing else. whereProven: a host of a kind that no canary proved
   * plans by itself; required: it stops; off: nothing is promoted. @default required
   */
  fleetLock: z.enum(FLEET_LOCK).optional(),
});
export type PatchPolicy = z.infer<typeof PatchPolicy>;

export const DEFAULT_POLICY: PatchPolicy = {
  operation: "full-update",
  critical: [...CRITICAL_PACKAGES],
  conffiles: "keep",
  lockWaitSeconds: 300,
  minimumFreePercent: 20,
  // Debian's main has no Valid-Until and changes only with a point release.
  maximumMetadataAgeDays: 400,
  // Debian's mirrors are filled four times a day; one that misses three of them is still not an attack.
  mirrorLagHours: 24,
  previousDebs: "bestEffort",
  rehearse: "whenPossible",
  securityOnly: false,
  allow: [],
  deny: [],
  minimumAgeDays: 0,
};

/** The fleet locks that a run brings. Hosts of a batch may differ: each takes that of its own kind, `release-architecture`. */
export const FleetLocks = z.strictObject({
  /** Where in the bucket they lie: `KIND.txt` and `KIND.txt.sig` below it. */
  prefix: z.string().regex(/^[^\s]{1,400}\/$/, "a key prefix that ends in /"),
  /** Kinds for which canaries proved one. */
  kinds: z.array(z.string().regex(/^[a-z0-9.-]{3,80}$/, "release-architecture")).max(50),
});
export type FleetLocks = z.infer<typeof FleetLocks>;

/** What a host is asked to do, sent as the one parameter of the command's document. Holds no secrets: it stays readable in SSM's history. */
export const HostRequest = z.strictObject({
  contractVersion: z.literal(CONTRACT_VERSION),
  runId: RunId,
  fleet: z.string().min(1).max(64),
  /** One after the other, each only when the one before it has passed. */
  steps: z.array(StepName).min(1).max(8),
  attempt: z.int().positive(),
  /** After this a host refuses to begin the first step: a replayed request does nothing. A later step has the time of those before it. */
  expiresAt: z.iso.datetime(),
  /** A host not named here refuses the request. */
  instanceIds: z.array(InstanceId).min(1).max(50),
  dryRun: z.boolean(),
  policy: PatchPolicy,
  /** Where the full report goes. */
  bucket: z.string().min(3),
  /** What to install, as canaries proved it; without it the host plans by itself. */
  fleetLocks: FleetLocks.optional(),
  /** Whether the host puts the .debs it fetched where the fleet's pool may take them from: a canary does. @default false */
  offerDebs: z.boolean().optional(),
});
export type HostRequest = z.infer<typeof HostRequest>;

/** When a host refuses to begin a step of a request. Pure. */
export function stepExpiry({ steps, expiresAt }: Pick<HostRequest, "steps" | "expiresAt">, step: StepName): Date {
  const before = steps.slice(0, steps.indexOf(step)).reduce((sum, one) => sum + STEP_TIMEOUT_SECONDS[one], 0);
  // A host that reboots itself is asked the same step again when it is back.
  const away = step === "reboot" ? STEP_TIMEOUT_SECONDS[step] : 0;
  return new Date(new Date(expiresAt).getTime() + (before + away) * 1_000);
}

/** The request as the document's parameter: base64url of JSON. */
export function encodeRequest(request: HostRequest): string {
  const text = Buffer.from(JSON.stringify(HostRequest.parse(request)), "utf8").toString("base64url");
  if (!new RegExp(REQUEST_PATTERN).test(text))
    throw new RangeError(`the request is too long: ${text.length} characters`);
  return text;
}

/** @throws Failure `requestInvalid` when it is not base64url of a request of this contract version. */
export function decodeRequest(text: string): HostRequest {
  if (!new RegExp(REQUEST_PATTERN).test(text)) throw new Failure("requestInvalid", "the request is not base64url text");
  let json: unknown;
  try {
    json = JSON.parse(Buffer.from(text, "base64url").toString("utf8"));
  } catch (cause) {
    throw new Failure("requestInvalid", "the request is not JSON in base64url", { cause });
  }
  const parsed = HostRequest.safeParse(json);
  if (!parsed.success)
    throw new Failure("requestInvalid", `the request does not fit the contract: ${z.prettifyError(parsed.error)}`);
  return parsed.data;
}
