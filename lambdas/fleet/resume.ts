import type { CommandResults, Snapshot, WaveVerdict } from "../../contract/run.ts";
import { byHost, hostOutcome } from "./host-outcome.ts";

/** A run that cannot be gone on with. */
export class CannotResume extends Error {
  override readonly name = "CannotResume";
}

export interface Remaining {
  /** Hosts of the old run that are neither committed nor had nothing to do, in its order. */
  readonly instanceIds: readonly string[];
  /** Its canary was healthy. */
  readonly proven: boolean;
}

/** What was judged of the old run's canary wave; undefined where it did not come to that. */
export interface CanaryVerdicts {
  readonly apply?: WaveVerdict | undefined;
  readonly check?: WaveVerdict | undefined;
}

/**
 * What is left of a run. Pure. Hosts in doubt are among it: a host knows itself where it stands, and says so when it is asked.
 * @throws CannotResume when nothing is left, or it is another fleet's
 */
export function remainingOf(
  old: Snapshot,
  collections: readonly CommandResults[],
  canary: CanaryVerdicts,
  fleet: string,
): Remaining {
  if (old.fleet !== fleet)
    throw new CannotResume(`run ${old.runId} is of fleet ${old.fleet}, this is ${fleet}: resume it there`);
  const results = byHost(collections);
  const done: ReadonlySet<string> = new Set(["committed", "nothingToDo"]);
  const instanceIds = old.waves
    .flatMap(({ batches }) => batches.flat())
    .filter((id) => !done.has(hostOutcome(results.get(id) ?? {}, old.dryRun)));
  if (instanceIds.length === 0)
    throw new CannotResume(`run ${old.runId}: all its hosts are committed or had nothing to do: start a new run`);
  return { instanceIds, proven: old.proven === true || isHealthy(canary) };
}

/** It went through, and where it was to be asked once more after its bake, it was, and was well. */
function isHealthy({ apply, check }: CanaryVerdicts): boolean {
  if (apply?.decision !== "continue") return false;
  return apply.committed === "check" ? check?.decision === "continue" : check?.decision !== "stop";
}
