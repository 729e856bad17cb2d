import type { MapState } from "./definition.ts";
import { evaluate, evaluateNumber } from "./evaluate.ts";
import type { Json } from "./json.ts";
import { itemsOf } from "./map-items.ts";
import { type Branch, frameOf, note, type Visit } from "./run.ts";
import { noteAborted } from "./run-aborted.ts";
import { attemptDistributedMap } from "./run-distributed-map.ts";
import { runSequence } from "./run-sequence.ts";
import { sideBySide } from "./side-by-side.ts";
import { Variables } from "./variables.ts";

/** An inline Map runs at most this many iterations at once. Source: AWS, "Using Map state in Inline mode". */
const INLINE_CONCURRENCY = 40;

export function attemptMap(visit: Visit<MapState>): Promise<Json> {
  const { distributed } = visit.state;
  return distributed === undefined ? attemptInlineMap(visit) : attemptDistributedMap(visit, distributed);
}

async function attemptInlineMap(visit: Visit<MapState>): Promise<Json> {
  const { state, branch } = visit;
  const items = await itemsOf(visit);
  const asked = await evaluateNumber(state.maxConcurrency ?? 0, "MaxConcurrency", frameOf(visit));
  const started = note(branch, "MapStateStarted", ["mapStateStartedEventDetails", { length: items.length }]);
  const others = new AbortController();
  const signal = AbortSignal.any([branch.signal, others.signal]);
  const results: Json[] = items.map(() => null);
  const inners = new Map<number, Branch>();
  const chains: number[] = [];
  await sideBySide(
    items.length,
    asked === 0 ? INLINE_CONCURRENCY : Math.min(asked, INLINE_CONCURRENCY),
    async (index, slot) => {
      const map = { Item: { Index: index, Value: items[index] as Json } };
      const variables = new Variables(branch.variables);
      const inner: Branch = {
        ...branch,
        signal,
        variables,
        map,
        previous: chains[slot] ?? started,
        current: undefined,
      };
      inners.set(index, inner);
      const details = ["mapIterationStartedEventDetails", { name: state.name, index }] as const;
      note(inner, "MapIterationStarted", details);
      const frame = frameOf(visit, { context: { Map: map } });
      const input =
        state.itemSelector === undefined ? map.Item.Value : await evaluate(state.itemSelector, "ItemSelector", frame);
      results[index] = await runSequence(state.processor, input, inner);
      chains[slot] = inner.previous;
      branch.previous = note(inner, "MapIterationSucceeded", [
        "mapIterationSucceededEventDetails",
        { name: state.name, index },
      ]);
      inners.delete(index);
    },
    (failedIndex) => {
      branch.previous = (inners.get(failedIndex) as Branch).previous;
      others.abort();
      note(
        branch,
        "MapIterationFailed",
        ["mapIterationFailedEventDetails", { name: state.name, index: failedIndex }],
        true,
      );
      for (const [index, inner] of inners) {
        if (index === failedIndex) continue;
        noteAborted(branch, inner);
        note(branch, "MapIterationAborted", ["mapIterationAbortedEventDetails", { name: state.name, index }], true);
      }
    },
  );
  note(branch, "MapStateSucceeded", undefined, true);
  return results;
}
