import { DocumentRefused, type ParameterDefinition } from "./document.ts";
import { goFormat, goJson, goPattern } from "./go-text.ts";

type Definitions = Readonly<Record<string, ParameterDefinition>>;
/** Values as they stand in a document: text, lists, numbers, maps, or null where nothing was given. */
export type Values = ReadonlyMap<string, unknown>;

const VALID_NAME = /^[a-zA-Z0-9]+$/;

/**
 * The values a document runs with: what was sent (lists of strings, as SendCommand takes them), then defaults for what is
 * missing. A value sent under a name that is not letters and digits is dropped. Unknown names stay: the agent does not check.
 * @throws DocumentRefused with the agent's own message when a value does not match its allowedPattern
 */
export function bindParameters(definitions: Definitions, sent: Readonly<Record<string, readonly string[]>>): Values {
  const values = new Map<string, unknown>();
  for (const [name, value] of Object.entries(sent)) {
    if (VALID_NAME.test(name)) values.set(name, definitions[name]?.type === "StringList" ? value : value[0]);
  }
  for (const [name, definition] of Object.entries(definitions)) {
    if (!values.has(name)) values.set(name, definition.default ?? null);
  }
  const errors = Object.entries(definitions).flatMap(([name, definition]) => {
    const reason = patternMismatch(definition, values.get(name));
    return reason === null
      ? []
      : [`error thrown in 'AllowedRegexParamValidator' while validating parameter /${name}/: ${reason}`];
  });
  if (errors.length > 0) throw new DocumentRefused(`all errors during param validation errors: ${errors.join("\n")}`);
  return values;
}

function patternMismatch({ allowedPattern, type }: ParameterDefinition, value: unknown): string | null {
  if (allowedPattern === "") return null;
  const pattern = goPattern(allowedPattern);
  if ("refused" in pattern) {
    return `encountered error while compiling allowed pattern - internal error: ${pattern.refused}`;
  }
  if (typeof value !== "string" && (typeof value !== "object" || value === null)) {
    return `invalid parameter type ${type} with parameter value ${goFormat(value)}`;
  }
  const wrong = [value].flat().find((item) => !pattern.matches(typeof item === "string" ? item : goJson(item)));
  if (wrong === undefined) return null;
  return `parameter value /${goFormat(wrong)}/ does not match the allowed pattern /${allowedPattern}/`;
}

const BLANK = "[\\t\\n\\f\\r ]*";

/**
 * Any part of a document with its placeholders replaced. `{{ name }}` alone becomes the value itself, a list stays a list;
 * inside other text it becomes raw text, JSON where the value is none, with `$$` collapsed to `$`. Nothing is quoted.
 */
export function substitute(part: unknown, values: Values): unknown {
  if (typeof part === "string") return substituteText(part, values);
  if (Array.isArray(part)) return part.map((item) => substitute(item, values));
  if (typeof part !== "object" || part === null) return part;
  return Object.fromEntries(Object.entries(part).map(([key, inner]) => [key, substitute(inner, values)]));
}

function substituteText(text: string, values: Values): unknown {
  for (const [name, value] of values) {
    if (VALID_NAME.test(name) && new RegExp(`^\\{\\{${BLANK}${name}${BLANK}\\}\\}$`).test(text)) return value;
  }
  const found = [...values].flatMap(([name, value]) =>
    [...text.matchAll(new RegExp(`\\{\\{${BLANK}${name}${BLANK}\\}\\}`, "g"))].map((match) => ({
      from: match.index,
      to: match.index + match[0].length,
      value,
    })),
  );
  let result = "";
  let position = 0;
  for (const { from, to, value } of found.sort((a, b) => a.from - b.from)) {
    const raw = typeof value === "string" ? value : goJson(value);
    result += text.slice(position, from) + raw.replaceAll("$$", () => "$");
    position = to;
  }
  return result + text.slice(position);
}
