import type { Definition, State, StateSequence } from "./definition.ts";
import { DefinitionError } from "./errors.ts";
import { Fields } from "./fields.ts";
import { isJsonObject, type Json } from "./json.ts";
import { loadState } from "./load-state.ts";
import { checkScopes } from "./scopes.ts";

/**
 * Reads a state machine's definition, as `DefinitionString` of the synthesised template holds it once its references are
 * resolved. Nothing in it is skipped: a field, state type, Resource or expression outside the interpreted subset is an
 * error here, not later. Source: the Amazon States Language specification, JSONata part.
 * @throws DefinitionError naming the place inside the definition.
 */
export function loadDefinition(text: string): Definition {
  let document: Json;
  try {
    document = JSON.parse(text) as Json;
  } catch (error) {
    throw new DefinitionError("definition", `is not JSON: ${(error as Error).message}`);
  }
  const known = ["Comment", "QueryLanguage", "StartAt", "States", "TimeoutSeconds", "Version"];
  const fields = new Fields(document, "definition", known);
  requireJsonata(fields, "JSONPath");
  fields.oneOf("Version", ["1.0"], "1.0");
  const timeoutSeconds = fields.number("TimeoutSeconds", { min: 1, max: 99_999_999, whole: true });
  const sequence = loadSequence(fields, new Set());
  checkScopes(sequence);
  return { ...sequence, timeoutSeconds };
}

/** Refuses JSONPath by name; `fallback` is what a missing field means at this place. */
export function requireJsonata(fields: Fields, fallback: "JSONPath" | "JSONata"): void {
  const language = fields.optionalString("QueryLanguage") ?? fallback;
  if (language !== "JSONata") {
    throw new DefinitionError(fields.at("QueryLanguage"), `is ${language}; only JSONata is interpreted`);
  }
}

/** Reads StartAt and States. `taken` holds the state names seen so far: they are unique in the whole machine. */
export function loadSequence(fields: Fields, taken: Set<string>): StateSequence {
  const startAt = fields.string("StartAt");
  const raw = fields.raw("States");
  if (!isJsonObject(raw)) throw new DefinitionError(fields.at("States"), "must be an object");
  const states = new Map<string, State>();
  for (const [name, value] of Object.entries(raw)) {
    const where = `${fields.at("States")}.${name}`;
    if (name.length > 80) throw new DefinitionError(where, "has a name of more than 80 characters");
    if (taken.has(name)) throw new DefinitionError(where, "is the name of another state too");
    taken.add(name);
    states.set(name, loadState(name, value, where, taken));
  }
  if (!states.has(startAt)) throw new DefinitionError(fields.at("StartAt"), `names no state: ${startAt}`);
  for (const state of states.values()) {
    for (const target of targets(state)) {
      if (!states.has(target)) {
        throw new DefinitionError(`${fields.at("States")}.${state.name}`, `goes to ${target}, which is no state here`);
      }
    }
  }
  return { startAt, states };
}

function targets(state: State): string[] {
  const to = "next" in state && state.next !== undefined ? [state.next] : [];
  if (state.type === "Choice") {
    to.push(...state.rules.map((rule) => rule.next));
    if (state.default !== undefined) to.push(state.default);
  }
  if ("catch" in state) to.push(...state.catch.map((catcher) => catcher.next));
  return to;
}
