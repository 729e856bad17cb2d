import { readFileSync } from "node:fs";
import * as z from "zod";
import { DEFAULT_SENDING, SendingPolicy, TargetTag } from "../contract/environment.ts";
import { TAGS } from "../contract/names.ts";
import { nearest } from "../contract/nearest.ts";
import { DEFAULT_POLICY, PatchPolicy } from "../contract/request.ts";
import { DEFAULT_WAVES, WavePolicy } from "../contract/run.ts";

/** Fills in defaults key by key, then holds the whole against the schema. */
const over = <S extends z.ZodObject>(schema: S, defaults: z.output<S>) => {
  const fields = defaults as Record<string, unknown>;
  const optional = Object.fromEntries(
    Object.entries(schema.shape).map(([key, field]) => [key, (field as z.ZodType).default(fields[key])]),
  );
  return z.strictObject(optional).prefault({}).pipe(schema) as unknown as z.ZodType<z.output<S>, Partial<z.input<S>>>;
};

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
  policy: over(PatchPolicy, DEFAULT_POLICY),
  sending: over(SendingPolicy, DEFAULT_SENDING),
  /** Seconds to wait for a command's event before looking for oneself. */
  waitSliceSeconds: z.int().min(10).max(3_600).default(300),
  /** Seconds between two looks at hosts whose results have not arrived though the command is said to have ended. */
  pauseSeconds: z.int().min(1).max(300).default(5),
  /** Batches of a wave that are worked on at the same time. */
  batchesAtOnce: z.int().min(1).max(1_000).default(20),
  /** Days until results and reports of a run are deleted. */
  keepRunsDays: z.int().min(1).default(400),
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

function explain(issue: z.core.$ZodIssue, whole: unknown): string {
  const where = issue.path.join(".");
  if (issue.code === "unrecognized_keys") {
    const known = Object.keys(at(DEFAULTS, issue.path) as object);
    return issue.keys.map((key) => `unknown key ${[...issue.path, key].join(".")}, ${nearest(key, known)}`).join("; ");
  }
  const value = JSON.stringify(at(whole, issue.path));
  if (issue.code === "invalid_value" && typeof at(whole, issue.path) === "string")
    return `${where} is ${value}, ${nearest(at(whole, issue.path) as string, issue.values.map(String))}`;
  return `${where === "" ? "the configuration" : where} is ${value}: ${issue.message}`;
}

function at(value: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>((inner, key) => (inner as Record<PropertyKey, unknown> | undefined)?.[key], value);
}
