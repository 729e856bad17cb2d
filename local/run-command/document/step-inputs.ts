import { goFormat, goKind } from "./go-text.ts";

/** The inputs of an aws:runShellScript step, as the plugin reads them. */
export interface ShellInputs {
  readonly runCommand: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  readonly workingDirectory: string;
  /** 5 to 172,800; anything else has become 3,600. */
  readonly timeoutSeconds: number;
}

/** Either the inputs, or the message with which the plugin fails the step. */
export type ReadInputs = { readonly inputs: ShellInputs } | { readonly invalid: string };

const SHORTEST_TIMEOUT = 5;
const LONGEST_TIMEOUT = 172_800;
const DEFAULT_TIMEOUT = 3600;

/** Reads the inputs after substitution. Keys match in any case, null counts as absent: so does the agent's JSON decoder. */
export function readShellInputs(raw: unknown): ReadInputs {
  const invalid = (kind: string, target: string): ReadInputs => ({
    invalid: `Invalid format in plugin properties ${goFormat(raw)};\nerror json: cannot unmarshal ${kind} into Go ${target}`,
  });
  if (typeof raw !== "object" && raw !== null && raw !== undefined) {
    return invalid(goKind(raw), "value of type runscript.RunScriptPluginInput");
  }
  const fields = new Map(Object.entries(raw ?? {}).map(([key, value]) => [key.toLowerCase(), value as unknown]));
  const mismatch = MISMATCHES.flatMap((find) => find(fields))[0];
  if (mismatch !== undefined) {
    return invalid(
      goKind(mismatch.value),
      `struct field RunScriptPluginInput.${mismatch.field} of type ${mismatch.type}`,
    );
  }
  const texts = (value: unknown) => (value ?? []) as (string | null)[];
  const environment = Object.entries((fields.get("environment") ?? {}) as Record<string, string | null>);
  return {
    inputs: {
      runCommand: texts(fields.get("runcommand")).map((line) => line ?? ""),
      environment: Object.fromEntries(environment.map(([name, value]) => [name, value ?? ""])),
      workingDirectory: (fields.get("workingdirectory") as string | null | undefined) ?? "",
      timeoutSeconds: timeoutSeconds(fields.get("timeoutseconds")),
    },
  };
}

type Fields = ReadonlyMap<string, unknown>;
interface Mismatch {
  readonly value: unknown;
  readonly field: string;
  readonly type: string;
}
const isGiven = (value: unknown) => value !== null && value !== undefined;
const isText = (value: unknown) => typeof value === "string" || !isGiven(value);

/** One look for each field that has a type; the plugin reports the first. */
const MISMATCHES: readonly ((fields: Fields) => Mismatch[])[] = [
  (fields) => {
    const value = fields.get("runcommand");
    if (isGiven(value) && !Array.isArray(value)) return [{ value, field: "RunCommand", type: "[]string" }];
    const wrong = ((value ?? []) as unknown[]).find((line) => !isText(line));
    return wrong === undefined ? [] : [{ value: wrong, field: "RunCommand", type: "string" }];
  },
  (fields) => {
    const value = fields.get("environment");
    if (isGiven(value) && goKind(value) !== "object") {
      return [{ value, field: "Environment", type: "map[string]string" }];
    }
    const wrong = Object.values(value ?? {}).find((inner) => !isText(inner));
    return wrong === undefined ? [] : [{ value: wrong, field: "Environment", type: "string" }];
  },
  (fields) =>
    ["ID", "WorkingDirectory"].flatMap((field) => {
      const value = fields.get(field.toLowerCase());
      return isText(value) ? [] : [{ value, field, type: "string" }];
    }),
];

/** Seconds a step may take: whole numbers as text or number, cut to whole; out of range or unreadable means 3,600. */
export function timeoutSeconds(value: unknown): number {
  const number =
    typeof value === "string" && /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(value) ? Number(value) : value;
  const whole = typeof number === "number" ? Math.trunc(number) : 0;
  return whole < SHORTEST_TIMEOUT || whole > LONGEST_TIMEOUT ? DEFAULT_TIMEOUT : whole;
}

/** A property of the inputs by which a step steers the document: text or boolean, its key in exactly this case. */
export function steering(inputs: unknown, property: "onFailure" | "onSuccess" | "finallyStep"): string {
  if (typeof inputs !== "object" || inputs === null || Array.isArray(inputs)) return "";
  const value = (inputs as Record<string, unknown>)[property];
  return typeof value === "string" || typeof value === "boolean" ? String(value) : "";
}
