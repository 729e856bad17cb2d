import jsonata from "jsonata";
import { DefinitionError } from "./errors.ts";
import type { Json } from "./json.ts";

/** The JSONata between `{%` and `%}`, or undefined for a string that is taken literally. */
export function expressionIn(text: string): string | undefined {
  return text.startsWith("{%") && text.endsWith("%}") && text.length >= 4 ? text.slice(2, -2).trim() : undefined;
}

const compiled = new Map<string, jsonata.Expression>();

/** The compiled expression; the same text is parsed once. @throws jsonata's own error for bad syntax. */
export function compile(expression: string): jsonata.Expression {
  const known = compiled.get(expression);
  if (known !== undefined) return known;
  const fresh = jsonata(expression);
  compiled.set(expression, fresh);
  return fresh;
}

/** Parses every expression inside a template. @throws DefinitionError naming the field and what the parser said. */
export function checkTemplate(template: Json, where: string): void {
  if (typeof template === "string") checkString(template, where);
  else if (Array.isArray(template)) {
    for (const [index, item] of template.entries()) checkTemplate(item, `${where}[${index}]`);
  } else if (template !== null && typeof template === "object") {
    for (const [key, value] of Object.entries(template)) {
      if (key.endsWith(".$")) throw new DefinitionError(`${where}.${key}`, "is a JSONPath field, and this is JSONata");
      checkTemplate(value, `${where}.${key}`);
    }
  }
}

function checkString(text: string, where: string): void {
  const expression = expressionIn(text);
  if (expression === undefined) {
    if (text.startsWith("{%") || text.endsWith("%}")) {
      throw new DefinitionError(where, `${text} has only one of {% and %}`);
    }
    return;
  }
  try {
    compile(expression);
  } catch (error) {
    const { message } = error as { message: string };
    throw new DefinitionError(where, `the JSONata expression '${expression}' does not parse: ${message}`);
  }
}
