import * as z from "zod";
import { Failure } from "../../contract/failures.ts";
import { HOST_PATHS } from "../../contract/names.ts";
import { DEFAULT_POLICY, PatchPolicy } from "../../contract/request.ts";
import { readOwn } from "./files.ts";
import { LOG_LEVELS } from "./log.ts";
import type { Machine } from "./machine.ts";

const flag = z.enum(["true", "false"]).transform((word) => word === "true");
const whole = z
  .string()
  .regex(/^\d{1,6}$/, "a whole number")
  .transform(Number);
const names = z.string().transform((text) => text.split(/[\s,]+/).filter((name) => name !== ""));
const policy = PatchPolicy.shape;

/** Every key of autopatch.conf, with its default. A key that is not here is refused. */
const KEYS = {
  AUTOPATCH_LOG_LEVEL: z.string().toLowerCase().pipe(z.enum(LOG_LEVELS)).default("info"),
  AUTOPATCH_BACKUP_ENABLED: flag.default(true),
  AUTOPATCH_BACKUP_RETENTION_DAYS: whole.pipe(z.int().min(1).max(3_650)).default(30),
  /** Names separated by blanks or commas. */
  AUTOPATCH_CRITICAL_PACKAGES: names.default([...DEFAULT_POLICY.critical]),
  AUTOPATCH_SECURITY_ONLY: flag.default(DEFAULT_POLICY.securityOnly),
  /** Names and globs. */
  AUTOPATCH_ALLOW: names.pipe(policy.allow).default([...DEFAULT_POLICY.allow]),
  AUTOPATCH_DENY: names.pipe(policy.deny).default([...DEFAULT_POLICY.deny]),
  AUTOPATCH_MINIMUM_AGE_DAYS: whole.pipe(policy.minimumAgeDays).default(DEFAULT_POLICY.minimumAgeDays),
  AUTOPATCH_CONFFILES: policy.conffiles.default(DEFAULT_POLICY.conffiles),
  AUTOPATCH_LOCK_WAIT_SECONDS: whole.pipe(policy.lockWaitSeconds).default(DEFAULT_POLICY.lockWaitSeconds),
  AUTOPATCH_MINIMUM_FREE_PERCENT: whole.pipe(policy.minimumFreePercent).default(DEFAULT_POLICY.minimumFreePercent),
  AUTOPATCH_MAXIMUM_METADATA_AGE_DAYS: whole
    .pipe(policy.maximumMetadataAgeDays)
    .default(DEFAULT_POLICY.maximumMetadataAgeDays),
  AWS_REGION: z
    .string()
    .regex(/^[a-z]{2}(-[a-z]+)+-\d$/, "a Region such as eu-west-3")
    .optional(),
  AWS_ENDPOINT_URL: z.url({ protocol: /^https?$/ }).optional(),
  AWS_EC2_METADATA_SERVICE_ENDPOINT: z.url({ protocol: /^https?$/ }).optional(),
};

const Config = z.strictObject(KEYS);
/** What the host's administrator decides, from /etc/autopatch/autopatch.conf. */
export type Config = z.infer<typeof Config>;

/**
 * The host's configuration; the defaults when there is no file.
 * @throws Failure `pathUnsafe` when the file is not root's own, `configurationInvalid` naming every line that is wrong.
 */
export function readConfig(machine: Pick<Machine, "root">): Config {
  return parseConfig(readOwn(machine, HOST_PATHS.config) ?? "");
}

/** Pure: KEY=VALUE lines, quotes optional, `#` comments. @throws Failure `configurationInvalid` */
export function parseConfig(text: string): Config {
  const values: Record<string, string> = {};
  const lineOf = new Map<string, number>();
  const problems: string[] = [];
  for (const [index, raw] of text.split("\n").entries()) {
    const line = raw.trim();
    if (line === "" || line.startsWith("#")) continue;
    const match = /^(?:export\s+)?([A-Z][A-Z0-9_]*)=(["']?)(.*)\2$/.exec(line);
    const key = match?.[1] ?? "";
    if (match === null) problems.push(`line ${index + 1}: not KEY=VALUE: ${JSON.stringify(line.slice(0, 80))}`);
    else if (lineOf.has(key)) problems.push(`line ${index + 1}: ${key} stands on line ${lineOf.get(key)} already`);
    else if (!(key in KEYS))
      problems.push(`line ${index + 1}: unknown key ${key}. Keys: ${Object.keys(KEYS).join(", ")}`);
    else {
      values[key] = match[3] ?? "";
      lineOf.set(key, index + 1);
    }
  }
  const parsed = Config.safeParse(values);
  for (const issue of parsed.error?.issues ?? []) {
    const key = String(issue.path[0]);
    problems.push(`line ${lineOf.get(key)}: ${key}=${values[key]}: ${issue.message}`);
  }
  if (problems.length > 0 || !parsed.success) {
    throw new Failure("configurationInvalid", `${HOST_PATHS.config}: ${problems.join("; ")}`);
  }
  return parsed.data;
}

/** The policy for a command typed on the host itself; a run brings its own. */
export function hostPolicy(config: Config, operation: PatchPolicy["operation"]): PatchPolicy {
  return {
    operation,
    critical: config.AUTOPATCH_CRITICAL_PACKAGES,
    conffiles: config.AUTOPATCH_CONFFILES,
    lockWaitSeconds: config.AUTOPATCH_LOCK_WAIT_SECONDS,
    minimumFreePercent: config.AUTOPATCH_MINIMUM_FREE_PERCENT,
    maximumMetadataAgeDays: config.AUTOPATCH_MAXIMUM_METADATA_AGE_DAYS,
    securityOnly: config.AUTOPATCH_SECURITY_ONLY,
    allow: config.AUTOPATCH_ALLOW,
    deny: config.AUTOPATCH_DENY,
    minimumAgeDays: config.AUTOPATCH_MINIMUM_AGE_DAYS,
  };
}
