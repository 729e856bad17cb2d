import { StateFailure } from "./errors.ts";
import { compile, expressionIn } from "./expressions.ts";
import { stepFunctionsLibrary } from "./functions.ts";
import { type Json, type JsonObject, jsonTypeOf } from "./json.ts";
import type { StatesPorts } from "./ports.ts";

/** What the expressions of one state see, and how its failures are introduced. */
export interface Frame {
  readonly ports: StatesPorts;
  readonly stateName: string;
  readonly enteredEventId: number;
  /** All visible variables by name. */
  readonly variables: Readonly<Record<string, Json>>;
  /** `$states`; input and context always, result or errorOutput where they exist. */
  readonly states: JsonObject;
}

/**
 * Evaluates a template: strings `{% … %}` anywhere inside become what they evaluate to, all else stays as it is.
 * @throws StateFailure States.QueryEvaluationError with AWS's wording; `location` is the field, e.g. `Arguments/Payload`.
 */
export async function evaluate(template: Json, field: string, frame: Frame): Promise<Json> {
  if (typeof template === "string") {
    const expression = expressionIn(template);
    return expression === undefined ? template : evaluateExpression(expression, field, frame);
  }
  if (Array.isArray(template)) {
    const items: Json[] = [];
    for (const [index, item] of template.entries()) items.push(await evaluate(item, `${field}[${index}]`, frame));
    return items;
  }
  if (template !== null && typeof template === "object") {
    const object: JsonObject = {};
    for (const [key, value] of Object.entries(template)) object[key] = await evaluate(value, `${field}/${key}`, frame);
    return object;
  }
  return template;
}

/** Evaluates and insists on a JSON type. @throws StateFailure States.QueryEvaluationError */
export async function evaluateAs<T extends "array" | "string" | "number" | "boolean">(
  type: T,
  template: Json,
  field: string,
  frame: Frame,
): Promise<Json> {
  const value = await evaluate(template, field, frame);
  const was = jsonTypeOf(value);
  if (was === type) return value;
  const source = typeof template === "string" ? (expressionIn(template) ?? template) : JSON.stringify(template);
  const shown = JSON.stringify(value);
  const what = `returned an unexpected result type. Expected '${type}', but was '${was}' for value: ${shown}`;
  throw queryFailure(`The JSONata expression '${source}' specified for the field '${field}' ${what}`, field, frame);
}

/** A whole number of at least `min`; `fraction` allows parts. @throws StateFailure States.QueryEvaluationError */
export async function evaluateNumber(
  template: number | string,
  field: string,
  frame: Frame,
  bounds: { min?: number; fraction?: boolean } = {},
): Promise<number> {
  const value = (await evaluateAs("number", template, field, frame)) as number;
  const { min = 0, fraction = false } = bounds;
  if (value >= min && (fraction || Number.isInteger(value))) return value;
  const kind = fraction ? "a number" : "a whole number";
  throw queryFailure(`The field '${field}' is ${value}; it must be ${kind} of at least ${min}.`, field, frame);
}

/** A States.QueryEvaluationError introduced by the state it happened in. */
export function queryFailure(what: string, location: string, frame: Frame): StateFailure {
  const where = `An error occurred while executing the state '${frame.stateName}' (entered at the event id #${frame.enteredEventId}).`;
  return new StateFailure("States.QueryEvaluationError", `${where} ${what}`, { location });
}

async function evaluateExpression(expression: string, field: string, frame: Frame): Promise<Json> {
  const said = `The JSONata expression '${expression}' specified for the field '${field}'`;
  const library = stepFunctionsLibrary(frame.ports.clock, frame.ports.random);
  let value: unknown;
  try {
    value = await compile(expression).evaluate(undefined, { ...library, ...frame.variables, states: frame.states });
  } catch (error) {
    const { code, message } = error as { code?: string; message: string };
    throw queryFailure(`${said} threw an error during evaluation. ${code ?? "D0000"}: ${message}`, field, frame);
  }
  if (value === undefined) throw queryFailure(`${said} returned nothing (undefined).`, field, frame);
  const plain = toJson(value);
  if (plain === undefined) throw queryFailure(`${said} returned an unsupported result type.`, field, frame);
  return plain;
}

/** Plain JSON of what jsonata gave, without its hidden marks; undefined when a function or a regex is in it. */
function toJson(value: unknown): Json | undefined {
  if (value === null || typeof value === "string" || typeof value === "boolean") return value;
  if (typeof value === "number") return Number.isFinite(value) ? value : undefined;
  if (typeof value !== "object" || "_jsonata_lambda" in value || "_jsonata_function" in value) return undefined;
  if (Array.isArray(value)) {
    const items = value.map(toJson);
    return items.some((item) => item === undefined) ? undefined : (items as Json[]);
  }
  const object: JsonObject = {};
  for (const [key, inner] of Object.entries(value)) {
    if (inner === undefined) continue;
    const plain = toJson(inner);
    if (plain === undefined) return undefined;
    object[key] = plain;
  }
  return object;
}
