import * as z from "zod";
import { Failure } from "../../contract/failures.ts";
import { HOST_PATHS } from "../../contract/names.ts";
import { nearest } from "../../contract/nearest.ts";
import {
  ConffileRule,
  DEFAULT_POLICY,
  DEFAULT_TRIAL_SECONDS,
  MAXIMUM_TRIAL_SECONDS,
  MINIMUM_TRIAL_SECONDS,
  PatchPolicy,
  REHEARSE,
} from "../../contract/request.ts";
import { readOwn } from "./files.ts";
import { LOG_LEVELS } from "./log.ts";
import type { Machine } from "./machine.ts";

const flag = z.enum(["true", "false"]).transform((word) => word === "true");
const whole = z
  .string()
  .regex(/^\d{1,6}$/, "a whole number")
  .transform(Number);
const names = z.string().transform((text) => text.split(/[\s,]+/).filter((name) => name !== ""));
/** A URL may hold a comma. */
const words = z.string().transform((text) => text.split(/\s+/).filter((word) => word !== ""));
const paths = words.pipe(z.array(ConffileRule.shape.path).max(50));
const policy = PatchPolicy.shape;

/**
 * Every key of autopatch.conf, with its default. A key that is not here is refused. The shipped file and the manual page are made
 * from the descriptions; `example` stands there for a key without default.
 */
export const CONFIG_KEYS = {
  AUTOPATCH_LOG_LEVEL: z
    .string()
    .toLowerCase()
    .pipe(z.enum(LOG_LEVELS))
    .default("info")
    .describe(`What is logged: ${LOG_LEVELS.join(", ")}; each with all that follow.`),
  AUTOPATCH_BACKUP_ENABLED: flag
    .default(true)
    .describe(
      "For scripts that ask it. AutoPatch itself always makes a backup before a change, unless install.sh is told --no-backup --force.",
    ),
  AUTOPATCH_BACKUP_RETENTION_DAYS: whole
    .pipe(z.int().min(1).max(3_650))
    .default(30)
    .describe("Days that backups are kept."),
  AUTOPATCH_AUTO_UPDATE: flag
    .default(false)
    .describe("Whether a container's entry point updates at its start. AutoPatch itself does nothing by it."),
  AUTOPATCH_HOME: z
    .string()
    .regex(/^\/[^\s"']*$/, "an absolute path")
    .default("/usr/local/bin")
    .describe("Where scripts look for AutoPatch's programs. AutoPatch itself does nothing by it."),
  AUTOPATCH_CRITICAL_PACKAGES: names
    .default([...DEFAULT_POLICY.critical])
    .describe("Packages whose update wants a person's eye, separated by blanks or commas."),
  AUTOPATCH_CONFFILES: policy.conffiles
    .default(DEFAULT_POLICY.conffiles)
    .describe(
      "What becomes of an edited configuration file that a package brings anew: keep the edited one, or replace it.",
    ),
  AUTOPATCH_CONFFILES_KEEP: paths
    .default([])
    .describe(
      "Configuration files, or globs such as /etc/app/*: the edited ones are kept whatever AUTOPATCH_CONFFILES says.",
    ),
  AUTOPATCH_CONFFILES_REPLACE: paths
    .default([])
    .describe("Configuration files, or globs: replaced whatever AUTOPATCH_CONFFILES says."),
  AUTOPATCH_REBOOT: z
    .enum(["never", "whenRequired"])
    .default("never")
    .describe(
      "Whether a run reboots this host when the change wants it: never or whenRequired. A run may say otherwise.",
    ),
  AUTOPATCH_TRIAL_SECONDS: whole
    .pipe(z.int().min(MINIMUM_TRIAL_SECONDS).max(MAXIMUM_TRIAL_SECONDS))
    .default(DEFAULT_TRIAL_SECONDS)
    .describe("Seconds that an installed change waits for its commit; then the host goes back by itself."),
  AUTOPATCH_PROBE_HTTP: words
    .pipe(z.array(z.url({ protocol: /^https?$/ })).max(20))
    .default([])
    .describe("URLs, separated by blanks, that must answer with 200 to 399 after a change."),
  AUTOPATCH_PROBE_SECONDS: whole
    .pipe(z.int().min(1).max(120))
    .default(10)
    .describe("Seconds that each of these, and sshd, may take to answer; each is asked three times."),
  AUTOPATCH_SECURITY_ONLY: flag
    .default(DEFAULT_POLICY.securityOnly)
    .describe("Whether only security updates are taken."),
  AUTOPATCH_ALLOW: names
    .pipe(policy.allow)
    .default([...DEFAULT_POLICY.allow])
    .describe("Names of packages, or globs such as linux-*: only these are updated. Empty allows everything."),
  AUTOPATCH_DENY: names
    .pipe(policy.deny)
    .default([...DEFAULT_POLICY.deny])
    .describe("Names of packages, or globs: never updated."),
  AUTOPATCH_MINIMUM_AGE_DAYS: whole
    .pipe(policy.minimumAgeDays)
    .default(DEFAULT_POLICY.minimumAgeDays)
    .describe("Days since this host first saw an update before it is taken."),
  AUTOPATCH_PREVIOUS_DEBS: policy.previousDebs
    .default(DEFAULT_POLICY.previousDebs)
    .describe("The .debs of what an update replaces, for a second way back: off, bestEffort, or required."),
  AUTOPATCH_LOCK_WAIT_SECONDS: whole
    .pipe(policy.lockWaitSeconds)
    .default(DEFAULT_POLICY.lockWaitSeconds)
    .describe("Seconds to wait for another program's lock on apt or dpkg."),
  AUTOPATCH_MINIMUM_FREE_PERCENT: whole
    .pipe(policy.minimumFreePercent)
    .default(DEFAULT_POLICY.minimumFreePercent)
    .describe("Share of each file system that stays free."),
  AUTOPATCH_REHEARSE: policy.rehearse
    .default(DEFAULT_POLICY.rehearse)
    .describe(`Whether a change is made in a clone of this host first: ${REHEARSE.join(", ")}.`),
  AUTOPATCH_MAXIMUM_METADATA_AGE_DAYS: whole
    .pipe(policy.maximumMetadataAgeDays)
    .default(DEFAULT_POLICY.maximumMetadataAgeDays)
    .describe("Days after which a signed package list counts as an old one that somebody replays."),
  AUTOPATCH_MIRROR_LAG_HOURS: whole
    .pipe(policy.mirrorLagHours)
    .default(DEFAULT_POLICY.mirrorLagHours)
    .describe("Hours that mirrors behind one name may be behind each other; an older Release counts as replayed."),
  AUTOPATCH_CLOUDWATCH: z
    .enum(["off", "instance", "fleet"])
    .default("off")
    .describe("CloudWatch metrics from this host: off, under its instance id (instance), or under its fleet (fleet)."),
  AUTOPATCH_ALERT_TOPIC: z
    .string()
    .regex(
      /^arn:aws[a-z-]*:sns:[a-z]{2}(-[a-z]+)+-\d:\d{12}:[A-Za-z0-9_-]{1,256}$/,
      "the ARN of an SNS topic that is no FIFO, such as arn:aws:sns:eu-west-3:123456789012:autopatch",
    )
    .optional()
    .meta({
      description:
        "SNS topic that is told when maintenance fails or overruns its window, and when the daemon finds the host not well any more or well again; the instance's role needs sns:Publish on it.",
      example: "arn:aws:sns:eu-west-3:123456789012:autopatch",
    }),
  AUTOPATCH_FLEET_LOCK_KEY: z
    .string()
    .startsWith("/", "an absolute path")
    .default("/etc/autopatch/fleet-lock.pem")
    .describe("Public key (PEM, P-256) that the fleet's locks are signed with."),
  AUTOPATCH_REQUIRE_FLEET_LOCK: flag
    .default(false)
    .describe("Whether nothing is installed but by a signed fleet lock; not for canaries."),
  AUTOPATCH_BUCKET: z
    .string()
    .regex(/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/, "the name of a bucket")
    .optional()
    .meta({
      description: "Bucket that new backups are uploaded to, and where the fleet's packages lie; a run brings its own.",
      example: "autopatch-backups-bucket",
    }),
  AUTOPATCH_PROMETHEUS_FILE: z
    .string()
    .regex(/^\/[^\s"']*\.prom$/, "an absolute path that ends in .prom")
    .default("/var/lib/node_exporter/textfile_collector/autopatch.prom")
    .describe(
      "Where the exporter writes its metrics: in the folder of node_exporter's textfile collector. The daemon may write below /var/lib/node_exporter alone; for another folder add ReadWritePaths= with `systemctl edit autopatch-daemon`.",
    ),
  AUTOPATCH_FLEET: z
    .string()
    .regex(/^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$/, "a name of letters, digits, dots and dashes")
    .optional()
    .meta({
      description: "Name of the fleet this host belongs to; a fleet lock of another one is refused.",
      example: "web",
    }),
  AWS_REGION: z
    .string()
    .regex(/^[a-z]{2}(-[a-z]+)+-\d$/, "a Region such as eu-west-3")
    .optional()
    .meta({ description: "Region, where the instance's metadata and SSM do not say it.", example: "eu-west-3" }),
  AWS_ENDPOINT_URL: z
    .url({ protocol: /^https?$/ })
    .optional()
    .meta({
      description: "Where AWS is reached instead of its public endpoints.",
      example: "https://vpce-0123456789abcdef0.example",
    }),
  AWS_EC2_METADATA_SERVICE_ENDPOINT: z
    .url({ protocol: /^https?$/ })
    .optional()
    .meta({ description: "Where the instance's metadata is reached.", example: "http://169.254.169.254" }),
};

/**
 * Keys that the environment may set over the file, as the seed's container images do. Only words and numbers that this schema
 * bounds: no program, no address, nothing of the security policy. Other AUTOPATCH_ variables mean nothing (Kubernetes sets some
 * for a service of that name).
 */
export const ENVIRONMENT_KEYS = [
  "AUTOPATCH_LOG_LEVEL",
  "AUTOPATCH_BACKUP_ENABLED",
  "AUTOPATCH_AUTO_UPDATE",
  "AUTOPATCH_HOME",
] as const satisfies readonly (keyof typeof CONFIG_KEYS)[];

const Config = z.strictObject(CONFIG_KEYS);
/** What the host's administrator decides, from /etc/autopatch/autopatch.conf. */
export type Config = z.infer<typeof Config>;

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * The host's configuration; the defaults when there is no file.
 * @param environment of the process; what it says stands over the file
 * @throws Failure `pathUnsafe` when the file is not root's own, `configurationInvalid` naming every line that is wrong.
 */
export function readConfig(machine: Pick<Machine, "root">, environment: Environment = {}): Config {
  return parseConfig(readOwn(machine, HOST_PATHS.config) ?? "", environment);
}

/** Pure: KEY=VALUE lines, quotes optional, `#` comments. @throws Failure `configurationInvalid` */
export function parseConfig(text: string, environment: Environment = {}): Config {
  const { values, lineOf, problems } = readLines(text);
  for (const key of ENVIRONMENT_KEYS) {
    const value = environment[key];
    if (value === undefined || value === "") continue;
    values[key] = value;
    lineOf.set(key, 0);
  }
  const parsed = Config.safeParse(values);
  for (const issue of parsed.error?.issues ?? []) {
    const key = String(issue.path[0]);
    problems.push({ line: lineOf.get(key) ?? 0, what: `${key}=${values[key]}: ${issue.message}` });
  }
  if (problems.length > 0 || !parsed.success) {
    const said = problems.sort((a, b) => a.line - b.line).map(({ line, what }) => `${place(line)}: ${what}`);
    throw new Failure("configurationInvalid", `${HOST_PATHS.config}: ${said.join("; ")}`);
  }
  return parsed.data;
}

/** Line 0 is the environment. */
function place(line: number): string {
  return line === 0 ? "environment" : `line ${line}`;
}

/** The values by key, the line of each, and what is wrong with the lines themselves. */
function readLines(text: string) {
  const values: Record<string, string> = {};
  const lineOf = new Map<string, number>();
  const problems: { line: number; what: string }[] = [];
  for (const [index, raw] of text.split("\n").entries()) {
    const trimmed = raw.trim();
    if (trimmed === "" || trimmed.startsWith("#")) continue;
    const line = index + 1;
    const match = /^(?:export\s+)?([A-Za-z][A-Za-z0-9_]*)=(["']?)(.*)\2$/.exec(trimmed);
    const key = match?.[1] ?? "";
    const known = Object.keys(CONFIG_KEYS);
    if (match === null) problems.push({ line, what: `not KEY=VALUE: ${JSON.stringify(trimmed.slice(0, 80))}` });
    else if (lineOf.has(key)) problems.push({ line, what: `${key} stands on line ${lineOf.get(key)} already` });
    else if (!known.includes(key)) problems.push({ line, what: `unknown key ${key}, ${nearest(key, known)}` });
    else {
      values[key] = match[3] ?? "";
      lineOf.set(key, line);
    }
  }
  return { values, lineOf, problems };
}

/** The policy for a command typed on the host itself; a run brings its own. */
export function hostPolicy(config: Config, operation: PatchPolicy["operation"]): PatchPolicy {
  return {
    operation,
    critical: config.AUTOPATCH_CRITICAL_PACKAGES,
    conffiles: config.AUTOPATCH_CONFFILES,
    previousDebs: config.AUTOPATCH_PREVIOUS_DEBS,
    conffileRules: [
      ...config.AUTOPATCH_CONFFILES_KEEP.map((path) => ({ path, action: "keep" as const })),
      ...config.AUTOPATCH_CONFFILES_REPLACE.map((path) => ({ path, action: "replace" as const })),
    ],
    lockWaitSeconds: config.AUTOPATCH_LOCK_WAIT_SECONDS,
    minimumFreePercent: config.AUTOPATCH_MINIMUM_FREE_PERCENT,
    maximumMetadataAgeDays: config.AUTOPATCH_MAXIMUM_METADATA_AGE_DAYS,
    mirrorLagHours: config.AUTOPATCH_MIRROR_LAG_HOURS,
    rehearse: config.AUTOPATCH_REHEARSE,
    securityOnly: config.AUTOPATCH_SECURITY_ONLY,
    allow: config.AUTOPATCH_ALLOW,
    deny: config.AUTOPATCH_DENY,
    minimumAgeDays: config.AUTOPATCH_MINIMUM_AGE_DAYS,
  };
}

/**
 * What the host's administrator says of fleet locks.
 * @param fleet the fleet that a run's request names, for a host that was not told its own
 */
export function fleetTrust(config: Config, fleet: string | null = null) {
  return {
    name: config.AUTOPATCH_FLEET ?? fleet,
    keyFile: config.AUTOPATCH_FLEET_LOCK_KEY,
    required: config.AUTOPATCH_REQUIRE_FLEET_LOCK,
  };
}
