import * as z from "zod";
import { CONTRACT_VERSION, InstanceId, RunId } from "./envelope.ts";
import { Failure } from "./failures.ts";
import { CRITICAL_PACKAGES, REQUEST_PATTERN } from "./names.ts";
import { StepName } from "./steps.ts";

export const Operation = z.enum(["auto-update", "full-update"]);
/** auto-update removes nothing; full-update may remove packages, as apt's dist-upgrade does. */
export type Operation = z.infer<typeof Operation>;

/** A package name; `*` stands for any characters, `?` for one. */
const PackagePattern = z.string().regex(/^[a-z0-9*?][a-z0-9+.*?-]{0,127}$/, "a package name, or a glob with * and ?");

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
  /** The backup step makes the change in a clone of the host first, and keeps exactly what it touched. @default false */
  rehearse: z.boolean().optional(),
  /** Only versions that a security pocket offers. */
  securityOnly: z.boolean(),
  /** When not empty, of what is installed only this is updated; what it newly depends on may come in. Names and globs. */
  allow: z.array(PackagePattern).max(100),
  /** Never installed, updated or removed. Names and globs. */
  deny: z.array(PackagePattern).max(100),
  /** Days since this host first saw a version, with these very bytes, in its package lists. */
  minimumAgeDays: z.int().min(0).max(365),
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
  securityOnly: false,
  allow: [],
  deny: [],
  minimumAgeDays: 0,
};

/** What a host is asked to do, sent as the one parameter of the step's document. Holds no secrets: it stays readable in SSM's history. */
export const StepRequest = z.strictObject({
  contractVersion: z.literal(CONTRACT_VERSION),
  runId: RunId,
  fleet: z.string().min(1).max(64),
  step: StepName,
  attempt: z.int().positive(),
  /** After this a host refuses the request: a replayed one does nothing. */
  expiresAt: z.iso.datetime(),
  /** A host not named here refuses the request. */
  instanceIds: z.array(InstanceId).min(1).max(50),
  dryRun: z.boolean(),
  policy: PatchPolicy,
  /** Where the full report goes. */
  bucket: z.string().min(3),
});
export type StepRequest = z.infer<typeof StepRequest>;

/** The request as the document's parameter: base64url of JSON. */
export function encodeRequest(request: StepRequest): string {
  const text = Buffer.from(JSON.stringify(StepRequest.parse(request)), "utf8").toString("base64url");
  if (!new RegExp(REQUEST_PATTERN).test(text))
    throw new RangeError(`the request is too long: ${text.length} characters`);
  return text;
}

/** @throws Failure `requestInvalid` when it is not base64url of a request of this contract version. */
export function decodeRequest(text: string): StepRequest {
  if (!new RegExp(REQUEST_PATTERN).test(text)) throw new Failure("requestInvalid", "the request is not base64url text");
  let json: unknown;
  try {
    json = JSON.parse(Buffer.from(text, "base64url").toString("utf8"));
  } catch (cause) {
    throw new Failure("requestInvalid", "the request is not JSON in base64url", { cause });
  }
  const parsed = StepRequest.safeParse(json);
  if (!parsed.success)
    throw new Failure("requestInvalid", `the request does not fit the contract: ${z.prettifyError(parsed.error)}`);
  return parsed.data;
}
