/** A JSON value, as everything that crosses a state's border is one. */
export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };
export type JsonObject = { [key: string]: Json };

export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The name JSON gives a value's type, as Step Functions prints it in its messages. */
export function jsonTypeOf(value: Json): "null" | "array" | "object" | "string" | "number" | "boolean" {
  if (value === null) return "null";
  if (Array.isArray(value)) return "array";
  return typeof value as "object" | "string" | "number" | "boolean";
}

/** Size of a value as UTF-8 JSON, in bytes: what Step Functions measures its limits on. */
export function jsonBytes(value: Json): number {
  return Buffer.byteLength(JSON.stringify(value), "utf8");
}

/**
 * Turns whatever a port answered into plain JSON, as the wire would have done: dates become ISO strings, undefined
 * fields vanish. Undefined itself becomes an empty object.
 */
export function asJson(value: unknown): Json {
  return value === undefined ? {} : (JSON.parse(JSON.stringify(value)) as Json);
}
