import type { State, StateSequence } from "./definition.ts";
import { DefinitionError } from "./errors.ts";

/**
 * A variable of an inner scope (Parallel branch, inline Map) may not carry the name of one of an outer scope. A
 * Distributed Map's states are a machine of their own, so they start afresh. Source: AWS, "Passing data between states
 * with variables". @throws DefinitionError naming the state and the variable.
 */
export function checkScopes(sequence: StateSequence, outer: ReadonlySet<string> = new Set()): void {
  const own = new Set<string>();
  for (const state of sequence.states.values()) {
    for (const name of assigned(state)) {
      if (outer.has(name)) {
        throw new DefinitionError(`${state.name}.Assign.${name}`, "is already a variable of an outer scope");
      }
      own.add(name);
    }
  }
  const visible = new Set([...outer, ...own]);
  for (const state of sequence.states.values()) {
    if (state.type === "Parallel") for (const branch of state.branches) checkScopes(branch, visible);
    if (state.type === "Map") checkScopes(state.processor, state.distributed === undefined ? visible : new Set());
  }
}

function assigned(state: State): string[] {
  const sources = ["assign" in state ? state.assign : undefined];
  if (state.type === "Choice") sources.push(...state.rules.map((rule) => rule.assign));
  if ("catch" in state) sources.push(...state.catch.map((catcher) => catcher.assign));
  return sources.flatMap((source) => Object.keys(source ?? {}));
}
