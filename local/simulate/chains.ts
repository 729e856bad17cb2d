import type { Snapshot } from "../../contract/run.ts";
import type { CommandName } from "../../contract/steps.ts";
import type { HostWork } from "./run-command.ts";

/** Where a host is: its wave and batch. */
export function placesOf(waves: Snapshot["waves"]): Map<string, { readonly wave: number; readonly batch: number }> {
  return new Map(
    waves.flatMap(({ index: wave, batches }) =>
      batches.flatMap((ids, batch) => ids.map((id) => [id, { wave, batch }] as const)),
    ),
  );
}

/**
 * Seconds of the slowest chain of batches: what the hosts alone take, with batches side by side in so many places, phase after phase and
 * wave after wave, and the bake between. Nothing that the cloud does can be faster. Pure.
 */
export function slowestChain(
  work: readonly HostWork[],
  places: ReturnType<typeof placesOf>,
  { batchesAtOnce, bakeSeconds }: { readonly batchesAtOnce: number; readonly bakeSeconds: number },
): number {
  const phases = new Map<string, Map<number, number>>();
  const waves = new Set<number>();
  for (const { document, request, seconds } of work) {
    const place = places.get(request.instanceIds[0] ?? "");
    if (place === undefined) continue;
    waves.add(place.wave);
    const command = document.slice(document.lastIndexOf("-") + 1).toLowerCase() as CommandName;
    const phase = `${place.wave}/${command === "prepare" ? "prepare" : "apply"}`;
    const batches = phases.get(phase) ?? new Map<number, number>();
    batches.set(place.batch, (batches.get(place.batch) ?? 0) + seconds);
    phases.set(phase, batches);
  }
  let total = bakeSeconds * Math.max(0, waves.size - 1);
  for (const batches of phases.values())
    total += makespan(
      [...batches].sort(([a], [b]) => a - b).map(([, seconds]) => seconds),
      batchesAtOnce,
    );
  return total;
}

/** Each piece goes to the place that is free first. */
function makespan(pieces: readonly number[], places: number): number {
  const free: number[] = Array.from({ length: Math.min(places, Math.max(1, pieces.length)) }, () => 0);
  for (const seconds of pieces) {
    const first = free.indexOf(Math.min(...free));
    free[first] = (free[first] ?? 0) + seconds;
  }
  return Math.max(...free);
}
