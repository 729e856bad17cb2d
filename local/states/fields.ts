import { DefinitionError } from "./errors.ts";
import { checkTemplate, expressionIn } from "./expressions.ts";
import { isJsonObject, type Json, type JsonObject } from "./json.ts";

const JSONPATH_FIELDS = new Set([
  "InputPath",
  "OutputPath",
  "ResultPath",
  "ResultSelector",
  "Parameters",
  "ItemsPath",
  "Result",
]);
const VARIABLE = /^[\p{L}_][\p{L}\p{N}_]{0,79}$/u;

/**
 * Reads the fields of one object of a definition. Every field must be asked for by the list given here: an unknown one
 * is refused by name, so that nothing AWS would act on is silently ignored locally.
 */
export class Fields {
  readonly where: string;
  private readonly values: JsonObject;

  constructor(value: Json | undefined, where: string, known: readonly string[]) {
    if (!isJsonObject(value)) throw new DefinitionError(where, "must be an object");
    this.where = where;
    this.values = value;
    for (const name of Object.keys(value)) {
      if (known.includes(name)) continue;
      const path = JSONPATH_FIELDS.has(name) || name.endsWith("Path") || name.endsWith(".$");
      throw new DefinitionError(
        `${where}.${name}`,
        path
          ? "is a JSONPath field; only QueryLanguage JSONata is interpreted"
          : "is a field this interpreter does not know",
      );
    }
  }

  at(name: string): string {
    return `${this.where}.${name}`;
  }

  has(name: string): boolean {
    return this.values[name] !== undefined;
  }

  raw(name: string): Json | undefined {
    return this.values[name];
  }

  string(name: string): string {
    const value = this.optionalString(name);
    if (value === undefined) throw new DefinitionError(this.at(name), "is required");
    return value;
  }

  optionalString(name: string): string | undefined {
    const value = this.values[name];
    if (value !== undefined && typeof value !== "string") throw new DefinitionError(this.at(name), "must be a string");
    return value;
  }

  oneOf<T extends string>(name: string, allowed: readonly T[], fallback: T): T {
    const value = this.optionalString(name) ?? fallback;
    const found = allowed.find((item) => item === value);
    if (found === undefined) throw new DefinitionError(this.at(name), `is ${value}; known are ${allowed.join(", ")}`);
    return found;
  }

  list(name: string): Json[] {
    const value = this.values[name] ?? [];
    if (!Array.isArray(value)) throw new DefinitionError(this.at(name), "must be an array");
    return value;
  }

  /** A plain number within bounds; no expression. */
  number(name: string, bounds: { min: number; max: number; whole: boolean }): number | undefined {
    const value = this.values[name];
    if (value === undefined) return undefined;
    const { min, max, whole } = bounds;
    if (typeof value !== "number" || value < min || value > max || (whole && !Number.isInteger(value))) {
      throw new DefinitionError(
        this.at(name),
        `is ${JSON.stringify(value)}; it must be a number from ${min} to ${max}`,
      );
    }
    return value;
  }

  /** A number of at least `min`, or an expression that will give one. */
  numberField(name: string, bounds: { min: number; whole: boolean }): number | string | undefined {
    const value = this.template(name);
    if (value === undefined || (typeof value === "string" && expressionIn(value) !== undefined)) return value;
    if (typeof value === "number") return this.number(name, { ...bounds, max: 99_999_999 });
    throw new DefinitionError(
      this.at(name),
      `is ${JSON.stringify(value)}; it must be a number or a JSONata expression`,
    );
  }

  /** Any JSON with expressions in its strings; each of them is parsed now. */
  template(name: string): Json | undefined {
    const value = this.values[name];
    if (value !== undefined) checkTemplate(value, this.at(name));
    return value;
  }

  /** The Assign field: an object whose keys are variable names. */
  assign(): JsonObject | undefined {
    const value = this.template("Assign");
    if (value === undefined) return undefined;
    if (!isJsonObject(value)) throw new DefinitionError(this.at("Assign"), "must be an object");
    for (const name of Object.keys(value)) {
      if (name === "states" || !VARIABLE.test(name)) {
        throw new DefinitionError(`${this.at("Assign")}.${name}`, "is not a name a variable may have");
      }
    }
    return value;
  }
}
