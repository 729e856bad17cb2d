import type { ParallelState, StateSequence } from "./definition.ts";
import { evaluate } from "./evaluate.ts";
import type { Json } from "./json.ts";
import { type Branch, frameOf, note, type Visit } from "./run.ts";
import { noteAborted } from "./run-aborted.ts";
import { runSequence } from "./run-sequence.ts";
import { sideBySide } from "./side-by-side.ts";
import { Variables } from "./variables.ts";

/** Runs all branches at once; the result is the list of their outputs, in the order they are written. */
export async function attemptParallel(visit: Visit<ParallelState>): Promise<Json> {
  const { state, branch } = visit;
  const input =
    state.arguments === undefined ? visit.input : await evaluate(state.arguments, "Arguments", frameOf(visit));
  note(branch, "ParallelStateStarted");
  const others = new AbortController();
  const signal = AbortSignal.any([branch.signal, others.signal]);
  const branches = state.branches.map(
    (): Branch => ({ ...branch, signal, variables: new Variables(branch.variables), current: undefined }),
  );
  const results: Json[] = state.branches.map(() => null);
  await sideBySide(
    branches.length,
    branches.length,
    async (index) => {
      const inner = branches[index] as Branch;
      results[index] = await runSequence(state.branches[index] as StateSequence, input, inner);
      branch.previous = Math.max(branch.previous, inner.previous);
    },
    (failedIndex) => {
      branch.previous = (branches[failedIndex] as Branch).previous;
      others.abort();
      for (const [index, inner] of branches.entries()) if (index !== failedIndex) noteAborted(branch, inner);
    },
  );
  note(branch, "ParallelStateSucceeded", undefined, true);
  return results;
}
